"""A whole App, mounted in Starlette beside other routes. Run it: uvicorn starlette_app:site, or python starlette_app.py"""

from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from flowsock import App, MutableStateFlow, Session, interval


class Tick(Struct, frozen=True):
    count: int


live = App()
ticks = MutableStateFlow(0)


@live.background()
async def tick() -> None:
    await interval(0.1).collect(lambda _tick: ticks.update(lambda count: count + 1))


@live.websocket("/ticks")
async def follow(session: Session[str, Tick]) -> None:
    await ticks.map(Tick).collect(session.send)


async def home(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(live.sessions)} follow, at /live/ticks")


# A mounted app has no lifespan of its own: the outermost application runs its background jobs.
site = Starlette(routes=[Route("/", home), Mount("/live", live)], lifespan=live.lifespan)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(site, port=8000)
