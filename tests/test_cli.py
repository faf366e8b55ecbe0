"""The command line, as its user sees it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from flowsock.cli import load_app
from tests.tls import certificate, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOWSOCK = [sys.executable, "-m", "flowsock"]
ECHO_APP = """
from flowsock import App, Session

app = App()
nothing = None


@app.websocket("/upper")
async def upper(session: Session[str, str]) -> None:
    await session.incoming.map(str.upper).collect(session.send)
"""


def flowsock(*arguments: str, text: str = "", directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLOWSOCK, *arguments], input=text, capture_output=True, text=True, timeout=20, check=False, cwd=directory
    )


@contextmanager
def running(*arguments: str, directory: Path | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen([*FLOWSOCK, *arguments], stderr=subprocess.PIPE, text=True, cwd=directory) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"https?://([\d.]+:\d+)", first)
        try:
            assert found is not None, first
            yield process, f"ws://{found[1]}"
        finally:
            process.kill()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(ECHO_APP)
    return tmp_path


def test_help_names_the_commands() -> None:
    result = flowsock("--help")
    assert result.returncode == 0
    assert all(command in result.stdout for command in ("demo", "serve", "connect"))


def test_serve_runs_an_app_from_the_current_directory(project: Path) -> None:
    with running("serve", "mine:app", "--port", "0", directory=project) as (_process, url):
        result = flowsock("connect", f"{url}/upper", text="one\ntwo")
    assert result.stdout.splitlines() == ["ONE", "TWO"]
    assert result.returncode == 0


def test_connect_prints_what_the_server_says_until_it_closes() -> None:
    with running("demo", "--port", "0") as (_process, url):
        result = flowsock("connect", f"{url}/echo", text="hello\nbye\n")
    assert result.stdout.splitlines() == ["Connection established", "You said: hello"]
    assert result.stderr.splitlines()[-1] == "flowsock: closed: 1000 (NORMAL): Bye"
    assert result.returncode == 0


def test_connect_tells_that_the_server_ended_the_session_with_an_error() -> None:
    with running("demo", "--port", "0") as (_process, url):
        result = flowsock("connect", f"{url}/chat/room?name=ann", text="x" * 10_000)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "flowsock: closed: 1009 (TOO_BIG): message longer than 8192 bytes"
    assert "Traceback" not in result.stderr


def test_connect_tells_that_the_server_has_gone_while_nothing_is_typed() -> None:
    with running("demo", "--port", "0") as (process, url):
        command = [*FLOWSOCK, "connect", f"{url}/echo"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "Connection established\n"
            process.kill()
            assert client.wait(15) == 1
            assert client.stderr is not None
            assert "closed: 1006" in client.stderr.read()


def test_connect_says_why_it_was_refused() -> None:
    with running("demo", "--port", "0") as (_process, url):
        result = flowsock("connect", f"{url}/nothing-here")
    assert result.returncode == 1
    assert "404" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("url", "complaint"),
    [("ws://127.0.0.1:1/", "refused"), ("http://example.com/", "ws://"), ("ws://", "ws://")],
)
def test_connect_complains_in_one_line(url: str, complaint: str) -> None:
    result = flowsock("connect", url)
    assert result.returncode == 1
    assert complaint in result.stderr.lower()
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_stops_the_server_and_says_so() -> None:
    with running("demo", "--port", "0") as (process, _url):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "stopping: 0 sessions open" in errors
    assert errors.splitlines()[-1] == "flowsock: stopped"


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = flowsock("demo", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "cannot listen on 127.0.0.1" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    result = flowsock("demo", f"--port={port}")
    assert result.returncode == 2
    assert f"a port is a number from 0 to 65535, not {port}" in result.stderr


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("no_such_module:app", "cannot import 'no_such_module'"),
        ("mine:missing", "'mine:missing' is nothing"),
        ("mine:nothing", "'mine:nothing' is nothing"),
        ("mine:Session", "not a flowsock.App"),
        ("mine", "not of the form MODULE:APP"),
        (":app", "not of the form MODULE:APP"),
    ],
)
def test_a_wrong_app_is_one_clear_line(place: str, complaint: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    with pytest.raises(SystemExit, match=re.escape(complaint)):
        load_app(place)


def test_an_app_that_runs_itself_when_it_is_imported_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "eager.py").write_text("from flowsock import App\napp = App()\napp.run(port=0)\n")
    monkeypatch.syspath_prepend(project)
    with pytest.raises(SystemExit, match=re.escape('put it under `if __name__ == "__main__":`')):
        load_app("eager:app")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--trusted-proxy", "junk"], "'junk' does not appear to be an IPv4 or IPv6 network"),
        (["--certificate", "missing.pem"], "the certificate missing.pem and the key missing.pem cannot be used: No such file"),
        (["--certificate", "missing.pem", "--workers", "2"], "the certificate missing.pem"),
        (["--key", "key.pem"], "a key is for a certificate"),
        (["--handshake-timeout", "0"], "handshake_timeout must be above 0"),
        (["--uds", "/no/such/folder/app.sock"], "cannot listen on /no/such/folder/app.sock: No such file"),
    ],
)
def test_an_option_that_cannot_be_is_one_clear_line(options: list[str], complaint: str, project: Path) -> None:
    result = flowsock("serve", "mine:app", "--port", "0", *options, directory=project)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"flowsock: {complaint}")


def test_serve_over_tls_with_limits_behind_a_proxy_and_with_an_access_log(project: Path) -> None:
    file, key = certificate()
    arguments = ["--certificate", str(file), "--key", str(key), "--access-log", "--trusted-proxy", "127.0.0.1"]
    with running("serve", "mine:app", "--port", "0", *arguments, directory=project) as (process, url):
        address = url.removeprefix("ws://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=15) as plain:
            line = client_context().wrap_socket(plain, server_hostname="127.0.0.1")
            line.sendall(b"GET /nowhere?token=secret HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 404 ")
            line.close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert '192.0.2.7 "GET /nowhere" 404 ' in errors
    assert "secret" not in errors


def test_schema_describes_an_app(project: Path) -> None:
    shown = flowsock("schema", "mine:app", "--api-version", "2.0", directory=project)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["info"] == {"title": "mine", "version": "2.0"}
    assert document["channels"]["upper"]["address"] == "/upper"


def test_schema_of_no_app_is_one_line(project: Path) -> None:
    shown = flowsock("schema", "mine:nothing", directory=project)
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (1, "", 1)
