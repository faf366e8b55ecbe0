"""Sessions in an endpoint of FastAPI, with its dependencies. Run it: uvicorn fastapi_app:api, or python fastapi_app.py"""

from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket

from flowsock import BufferOverflow, MutableSharedFlow, asgi

api = FastAPI()
orders: MutableSharedFlow[str] = MutableSharedFlow(replay=5, extra_buffer_capacity=59)


async def desk(websocket: WebSocket) -> str:
    return websocket.query_params.get("desk", "front desk")


@api.websocket("/orders")
async def follow_orders(websocket: WebSocket, name: Annotated[str, Depends(desk)]) -> None:
    async with asgi.accept[str, str](websocket) as session:
        outbox = orders.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        outbox.on_each(session.send).launch_in(session.scope)
        await session.incoming.map(lambda order: f"{name}: {order}").collect(orders.emit)


@api.post("/orders")
async def order(text: str) -> dict[str, int]:
    await orders.emit(text)
    return {"desks": orders.subscription_count.value}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(api, port=8000)
