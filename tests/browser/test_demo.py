"""The demo, as a person sees it: a real server process and a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UNCOLOURED = re.compile(r"http://127\.0\.0\.1:(\d+)")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="there is no Chromium on this machine"),
]


@contextmanager
def demo_server(port: int = 0) -> Iterator[str]:
    command = [sys.executable, "-m", "flowsock", "demo", "--port", str(port), "--drain-timeout", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            found = UNCOLOURED.search(server.stderr.readline())
            assert found is not None
            yield found[0]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo_server() as url:
        yield url


def open_page(browser: Browser, url: str, *, complaints: list[str], **options: object) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()  # type: ignore[arg-type]
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page


def join(page: Page, room: str, name: str) -> None:
    page.fill("#chat-room", room)
    page.fill("#chat-name", name)
    page.click("#chat-join")
    expect(page.locator("#chat-state")).to_have_attribute("data-state", "open")


def say(page: Page, text: str) -> None:
    page.fill("#chat-input", text)
    page.press("#chat-input", "Enter")


def shoot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def test_echo_answers_and_says_bye(browser: Browser, url: str) -> None:
    complaints: list[str] = []
    page = open_page(browser, url, complaints=complaints)
    expect(page.locator("#echo-log")).to_contain_text("Connection established")
    page.fill("#echo-input", "hello <b>there</b>")
    page.press("#echo-input", "Enter")
    expect(page.locator("#echo-log")).to_contain_text("You said: hello <b>there</b>")
    page.fill("#echo-input", "Bye")
    page.click("#echo-send")
    expect(page.locator("#echo-state")).to_have_attribute("data-state", "closed")
    expect(page.locator("#echo-closed")).to_contain_text("1000")
    assert complaints == []


def test_chat_reaches_the_room_and_nobody_else(browser: Browser, url: str) -> None:
    complaints: list[str] = []
    ann, bob, eve = (open_page(browser, url, complaints=complaints) for _ in range(3))
    join(ann, "garden", "ann")
    join(bob, "garden", "bob")
    join(eve, "cellar", "eve")
    say(ann, "hello garden")
    say(eve, "hello cellar")
    for page in (ann, bob):
        expect(page.locator("#chat-log")).to_contain_text("hello garden")
    expect(eve.locator("#chat-log")).to_contain_text("hello cellar")
    expect(bob.locator("#chat-members")).to_contain_text("ann")
    assert "hello cellar" not in (ann.text_content("#chat-log") or "") + (bob.text_content("#chat-log") or "")
    assert "hello garden" not in (eve.text_content("#chat-log") or "")
    shoot(bob, "chat")
    expect(ann.locator("#chat-log")).to_contain_text("bob joined")
    bob.close()
    expect(ann.locator("#chat-members")).not_to_contain_text("bob")
    expect(ann.locator("#chat-log")).to_contain_text("bob left")
    assert complaints == []


def test_chat_replays_history_to_a_newcomer(browser: Browser, url: str) -> None:
    first, second = (open_page(browser, url, complaints=[]) for _ in range(2))
    join(first, "attic", "ann")
    for number in range(25):
        say(first, f"message {number}.")
        expect(first.locator("#chat-log")).to_contain_text(f"message {number}.")
    join(second, "attic", "bob")
    expect(second.locator("#chat-log")).to_contain_text("message 24.")
    log = second.text_content("#chat-log") or ""
    assert [number for number in range(25) if f"message {number}." in log] == list(range(5, 25))
    expect(second.locator("#chat-log .past")).to_have_count(20)
    expect(first.locator("#chat-log .past")).to_have_count(0)


def test_chat_refuses_a_name_that_is_taken(browser: Browser, url: str) -> None:
    first, second = (open_page(browser, url, complaints=[]) for _ in range(2))
    join(first, "hall", "ann")
    second.fill("#chat-room", "hall")
    second.fill("#chat-name", "ann")
    second.click("#chat-join")
    expect(second.locator("#chat-error")).to_contain_text("somebody called ann is in this room already")


def test_dashboard_moves(browser: Browser, url: str) -> None:
    complaints: list[str] = []
    page = open_page(browser, url, complaints=complaints, color_scheme="dark")
    expect(page.locator("#dash-state")).to_have_attribute("data-state", "open")
    expect(page.locator("#dash-memory")).to_have_text(re.compile(r"[1-9]"))
    before = page.text_content("#dash-messages")
    expect(page.locator("#dash-messages")).not_to_have_text(before or "", timeout=10_000)
    sessions = int(page.text_content("#dash-sessions") or "0")
    open_page(browser, url, complaints=complaints)
    expect(page.locator("#dash-sessions")).not_to_have_text(str(sessions))
    page.wait_for_timeout(3000)
    shoot(page, "dashboard-dark")
    assert complaints == []


def test_dashboard_comes_back_after_a_restart(browser: Browser) -> None:
    with demo_server() as url:
        page = open_page(browser, url, complaints=[])
        expect(page.locator("#dash-state")).to_have_attribute("data-state", "open")
    expect(page.locator("#dash-state")).to_have_attribute("data-state", "reconnecting")
    with demo_server(int(url.rpartition(":")[2])):
        expect(page.locator("#dash-state")).to_have_attribute("data-state", "open", timeout=20_000)
        expect(page.locator("#dash-memory")).to_have_text(re.compile(r"[1-9]"))


def test_the_page_fits_a_phone(browser: Browser, url: str) -> None:
    page = browser.new_context(viewport={"width": 360, "height": 740}).new_page()
    page.goto(url)
    expect(page.locator("#dash-state")).to_have_attribute("data-state", "open")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shoot(page, "phone")
