"""An app served from a notebook."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock import App, FlowsockError, Session, connect
from flowsock.notebook import scope, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, Any]:
    """Run on real time: there are sockets."""
    return "asyncio", {}


app = App()


@app.websocket("/echo")
async def echo(session: Session[str, str]) -> None:
    await session.incoming.collect(session.send)


async def test_an_app_is_served_until_its_job_is_stopped() -> None:
    server = await serve(app)
    async with connect[str, str](f"ws://127.0.0.1:{server.port}/echo") as session:
        await session.send("hello")
        assert await session.incoming.first() == "hello"
    assert [job.name for job in scope().jobs] == ["server"]
    await scope().stop("server")
    with pytest.raises(OSError, match=r"."):
        await connect[str, str](f"ws://127.0.0.1:{server.port}/echo").__aenter__()


async def test_a_cell_that_is_run_again_serves_at_the_same_port() -> None:
    first = await serve(app)
    second = await serve(app, port=first.port)
    assert second.port == first.port
    assert len(scope().jobs) == 1
    await scope().stop()


async def test_what_cannot_be_served_is_told_to_the_cell(caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(app)
    with pytest.raises(OSError, match=r"."):
        await serve(app, port=server.port, name="another")
    with pytest.raises(TypeError):
        await serve(app, no_such_setting=1, name="another")
    assert not caplog.records
    await scope().stop()


async def test_run_says_what_to_do_instead() -> None:
    with pytest.raises(FlowsockError, match=r"async with serve\(app\).*flowsock\.notebook\.serve\(app\)"):
        app.run()
