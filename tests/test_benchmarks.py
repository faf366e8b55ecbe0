"""The benchmarks run, with next to nothing to do, and their tables are whole. No time is judged here."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from benchmarks import (
    __main__,
    broadcast,
    channels,
    churn,
    crowd,
    echo,
    flows,
    hot,
    instructions,
    latency,
    load,
    memory,
    paths,
    plot,
    startup,
)
from benchmarks.floor import FLOOR
from benchmarks.measuring import OURS, Contender, Effort, Gate, Table, Verdict, measure_rounds, present
from benchmarks.report import gate_text, table_text

if TYPE_CHECKING:
    from pathlib import Path

TINY = Effort(rounds=1, scale=0.001, sessions=20)


def check(tables: list[Table]) -> None:
    """Look for our row and its ratio in the text of each table."""
    assert tables
    for table in tables:
        text = table_text(table)
        ratios = table.ratios(OURS, table.reference)
        assert ratios is not None
        assert all(ratio > 0 for ratio in ratios)
        assert f"\n{OURS} " in text
        assert f"x {table.reference}" in text
        assert "not measured" not in text or table.missing


def test_flows() -> None:
    check(flows.measure(TINY))


def test_hot() -> None:
    check(hot.measure(TINY, sizes=(10, 20)))


def test_channels() -> None:
    check(channels.measure(TINY))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_echo() -> None:
    check(echo.measure(TINY, shapes=[echo.Shape("tiny", 4, 200, 30_000, (Gate(OURS, "websockets", most=9),), connections=3)]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory() -> None:
    each, total = memory.measure(TINY)
    check([each, total])
    assert [gate.most for gate in each.gates] == [8]
    assert not total.gates  # they are of many more sessions
    assert min(total.rows[OURS]) > 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_broadcast() -> None:
    (table,) = broadcast.measure(TINY)
    check([table])
    assert "20 sessions" in table.title
    assert (FLOOR in table.rows) == (shutil.which("cc") is not None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    for peers in ("TO_ONE", "TO_ALL"):
        monkeypatch.setattr(latency, peers, getattr(latency, peers)[:1])
    tables = latency.measure(TINY)
    check(tables)
    assert [len(table.gates) for table in tables] == [0, 1, 0] + 6 * [0]
    for lower, higher in pairwise(tables[:3]):
        assert lower.rows[OURS][0] <= higher.rows[OURS][0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_slow_reader_delays_nobody() -> None:
    with echo.running_server("chat", -1) as (port, _):
        clients = crowd.Crowd(port, 3)
        clients.get_to_know(b"hello")
        clients.add_slow_reader(port)
        assert len(clients.say(b"hello", times=7)) == 3 * 7
        clients.close()


def test_percentiles() -> None:
    assert crowd.percentiles([each / 1000 for each in range(1001)]) == {"p50": 500, "p99": 990, "p99.9": 999}


def test_too_few_descriptors_are_told() -> None:
    with pytest.raises(NotImplementedError, match="ask for fewer --sessions"):
        crowd.allow_descriptors(10**9)


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_plot(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"times{ending}"
    table = Table("t", "ns per thing", "b", {OURS: [1.0, 2.0, 4.0], "b": [4.0, 4.0, 4.0]})
    plot.save_plot([table, table], path)
    assert path.stat().st_size > 1000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "PEERS", startup.PEERS[:1])
    monkeypatch.setattr(startup, "IMPORTS", {OURS: "import anyio, flowsock", "flowsock, a server": "import flowsock.serving"})
    seconds, busy, megabytes, imports = startup.measure(TINY)
    check([seconds, busy, megabytes])
    assert busy.rows[OURS][0] <= seconds.rows[OURS][0]
    assert [gate.most for table in (seconds, megabytes, imports) for gate in table.gates] == [0.25, 40, 60]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", paths.PATHS)
async def test_paths(path: str) -> None:
    await paths.PATHS[path](1000)


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind")
@pytest.mark.timeout(300)
def test_instructions() -> None:
    (table,) = instructions.measure(Effort(scale=0.1), ["element of a cold flow"])
    assert 100 < table.rows["element of a cold flow"][0] < 1_000_000


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "QUICK", TINY)
    path = tmp_path / "flows.json"
    assert __main__.main(["flows", "--quick", "--rounds", "2", "--json", str(path)]) == 0
    assert f"\n{OURS} " in capsys.readouterr().out
    (table,) = json.loads(path.read_text())["areas"]["flows"]
    assert [row["name"] for row in table["rows"]].count(OURS) == 1
    assert all(len(row["times"]) == len(row["ratios"]) == 2 for row in table["rows"])


def test_unknown_area_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["tepid"])
    assert "no such area: tepid" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--sessions", "0"], ["--plot", "times.gif"]])
def test_bad_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["flows", *arguments])
    assert arguments[0] in capsys.readouterr().err


def test_rounds_take_turns() -> None:
    calls: list[str] = []

    def contender(name: str) -> Contender:
        def measure() -> float:
            calls.append(name)
            return 1.0

        return Contender(name, measure)

    assert measure_rounds([contender("a"), contender("b")], 3) == {"a": [1, 1, 1], "b": [1, 1, 1]}
    assert "".join(calls) == "abbaab"


def test_missing_packages_are_told_and_left_out() -> None:
    here = Contender("here", lambda: 1.0)
    gone = Contender("gone", lambda: 1.0, ("no_such_package",))
    assert present([here, gone]) == ([here], ("no_such_package",))


def test_gates() -> None:
    table = Table("t", "ns per thing", "b", {"a": [1.0, 2.0, 4.0], "b": [4.0, 4.0, 4.0]})
    assert table.verdict(Gate("a", "b", most=0.25)) == Verdict(0.5, 2.0)
    assert table.verdict(Gate("a", "b", least=2, faster=True)) == Verdict(2.0, None)
    assert table.verdict(Gate("a", "c", most=1)) is None
    assert gate_text(table, Gate("a", "b", most=0.25)) == "≤ 0.25x b: 0.50, misses by 2.00x"
    assert gate_text(table, Gate("a", most=3)) == "≤ 3 ns: 2.00, holds"
    assert gate_text(table, Gate("a", "b", least=0.5, most=2)) == "0.5-2x b: 0.50, holds"


def test_masked_frame() -> None:
    assert load.reply_frame(b"x" * 8192) == b"\x82\x7e\x20\x00" + b"x" * 8192
    assert load.masked_frame(b"\0" * 6) == b"\x82\x86" + b"\x1b\x5a\xc3\x96" + b"\x1b\x5a\xc3\x96\x1b\x5a"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_churn_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "_WARM_UP", 20)
    monkeypatch.setattr(churn, "_PATIENCE", 1)
    (table,) = churn.measure(TINY)
    assert len(table.gates) == len(table.rows) == 4
    assert "times as many" in table_text(table)


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_churn() -> None:
    with churn.running_server() as server:
        before = server.count()
        ended = await churn.churn(server.port, 20, seed=3)
        assert ended.total() >= 20
        assert 0 <= server.count().sessions <= 20
    assert "came and went" in churn.report(ended, before, before)
