"""``python -m docs.tools.screenshots`` takes the picture of the demo that the README shows: docs/images/demo.png."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio import move_on_after, sleep
from playwright.async_api import async_playwright

from flowsock import connect, coroutine_scope, interval, serve
from flowsock.demo.app import app

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

TARGET: Final = Path(__file__).parents[1] / "images" / "demo.png"
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
WATCHED: Final = 58  # seconds that the charts show

ECHOED: Final = {3: "hello", 12: "flows all the way down", 27: "and back"}
TALK: Final = (
    ("bob", "Is this thing on?"),
    ("ann", "It is. Your message went through one shared flow to all of us."),
    ("bob", "And if my train goes into a tunnel?"),
    ("ann", "Then you miss a few old messages, and none of us waits for you."),
    ("you", "Hello, both!"),
)


async def main() -> None:
    """Serve the demo, have three people talk in it, and look over the shoulder of one."""
    async with serve(app, port=0, drain_timeout=1) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        people = {name: await _enter(browser, server.url, name) for name in ("ann", "bob", "you")}
        async with coroutine_scope() as visitors:
            for second in range(WATCHED):
                if second % 4 == 0:
                    visitors.launch(_visit, f"ws://127.0.0.1:{server.port}/echo", float(second % 17 + 5))
                if second in ECHOED:
                    await _type(people["you"], "#echo-input", ECHOED[second])
                if second % 10 == 5 and second // 10 < len(TALK):
                    name, text = TALK[second // 10]
                    await _type(people[name], "#chat-input", text)
                await sleep(1)
            TARGET.parent.mkdir(exist_ok=True)
            await people["you"].screenshot(path=TARGET, full_page=True)
            visitors.cancel()
        await browser.close()


async def _visit(url: str, seconds: float) -> None:
    """Give the charts something to show."""
    with move_on_after(seconds):
        async with connect[str, str](url) as session:
            await interval(0.1).map(str).collect(session.send)


async def _enter(browser: Browser, url: str, name: str) -> Page:
    page = await browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce")
    await page.goto(url)
    await page.fill("#chat-name", name)
    await page.click("#chat-join")
    return page


async def _type(page: Page, place: str, text: str) -> None:
    await page.fill(place, text)
    await page.press(place, "Enter")


if __name__ == "__main__":
    anyio.run(main)
