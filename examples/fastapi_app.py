"""Sessions of pydantic models in FastAPI, with its dependencies. Run it: uvicorn fastapi_app:api, or python fastapi_app.py"""

from typing import Annotated, Literal

from fastapi import Depends, FastAPI, WebSocket
from pydantic import BaseModel, Field

from flowsock import BufferOverflow, MutableSharedFlow, asgi


class Order(BaseModel):
    kind: Literal["order"] = "order"
    drink: str
    amount: Annotated[int, Field(gt=0)] = 1


class Cancel(BaseModel):
    kind: Literal["cancel"] = "cancel"
    drink: str


class Note(BaseModel, frozen=True):
    desk: str
    text: str


Command = Annotated[Order | Cancel, Field(discriminator="kind")]

api = FastAPI()
notes: MutableSharedFlow[Note] = MutableSharedFlow(replay=5, extra_buffer_capacity=59)


async def desk(websocket: WebSocket) -> str:
    return websocket.query_params.get("desk", "front desk")


def noted(name: str, command: Order | Cancel) -> Note:
    return Note(desk=name, text=f"no {command.drink}" if isinstance(command, Cancel) else f"{command.amount} {command.drink}")


@api.websocket("/orders")
async def follow_orders(websocket: WebSocket, name: Annotated[str, Depends(desk)]) -> None:
    async with asgi.accept[Command, Note](websocket) as session:
        outbox = notes.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        outbox.on_each(session.send).launch_in(session.scope)
        await session.incoming.map(lambda command: noted(name, command)).collect(notes.emit)


@api.post("/orders")
async def order(order: Order) -> dict[str, int]:
    await notes.emit(noted("by post", order))
    return {"desks": notes.subscription_count.value}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(api, port=8000)
