"""Kotlin's coroutine vocabulary for Python, and WebSocket sessions that are flows.

Flows
    `flow`, `channel_flow`, `flow_of`, `as_flow`, `interval`, `empty_flow`, `merge` and `combine` make a `Flow`; ``help(Flow)``
    lists its operators and their laws, and explains the diagrams. `MutableSharedFlow` and `MutableStateFlow` are hot: they
    have many collectors and an emitting end; `SharedFlow` and `StateFlow` are their read-only views.
Scopes
    `coroutine_scope` and `supervisor_scope` own `Job` objects; `Restart` and `Backoff` bring failed ones back. `await_all` and
    `join_all` wait for several; anybody may complete a `CompletableDeferred`.
Channels
    A `Channel` hands each value to one receiver; `BufferOverflow` says what happens when it is full; `produce` launches a job
    that fills one. `select`, `select_unbiased`, `while_select` and `on_timeout` wait for the first of several channels and
    jobs.
Sessions
    `App` routes, `Session` is one WebSocket, `serve` and ``app.run()`` serve, `connect` is the client. `SlowReader` says what
    happens to messages for a peer that does not read. `RawSession` and `connect_raw` are for whoever wants each `Frame`.
    `reconnecting` keeps a `Link` to a server, over one session after another. ``app.sse`` answers with server-sent events, each
    a `ServerSentEvent`, and `events` is the flow of them at the other end. `Rooms` are shared flows by name, with those who are
    in; `Room` is one of them.
Messages
    ``Session[In, Out]`` has messages of these types, written in a `MessageFormat`. `codec_for` gives the `MessageCodec` of a
    type; a message of the peer that is none is `Undecodable`.

Errors are in `flowsock.errors`, what tests need in `flowsock.testing`. Everything runs on asyncio, uvloop and trio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anyio import WouldBlock as WouldBlock

    from flowsock.brokers.broker import Broker as Broker
    from flowsock.brokers.broker import open_broker as open_broker
    from flowsock.brokers.broker_config import BrokerConfig as BrokerConfig
    from flowsock.brokers.broker_state import BrokerClosed as BrokerClosed
    from flowsock.brokers.broker_state import BrokerConnected as BrokerConnected
    from flowsock.brokers.broker_state import BrokerConnecting as BrokerConnecting
    from flowsock.brokers.broker_state import BrokerState as BrokerState
    from flowsock.brokers.broker_state import BrokerWaiting as BrokerWaiting
    from flowsock.brokers.engine import Guarantee as Guarantee
    from flowsock.brokers.gap import Gap as Gap
    from flowsock.brokers.gap import raise_gap as raise_gap
    from flowsock.brokers.topic import Topic as Topic
    from flowsock.channels.capacity import BUFFERED as BUFFERED
    from flowsock.channels.capacity import CONFLATED as CONFLATED
    from flowsock.channels.capacity import RENDEZVOUS as RENDEZVOUS
    from flowsock.channels.capacity import UNLIMITED as UNLIMITED
    from flowsock.channels.capacity import BufferOverflow as BufferOverflow
    from flowsock.channels.channel import Channel as Channel
    from flowsock.channels.producing import Producer as Producer
    from flowsock.channels.producing import produce as produce
    from flowsock.channels.select import on_timeout as on_timeout
    from flowsock.channels.select import select as select
    from flowsock.channels.select import select_unbiased as select_unbiased
    from flowsock.channels.select import while_select as while_select
    from flowsock.codecs.choosing import codec_for as codec_for
    from flowsock.codecs.message_codec import MessageCodec as MessageCodec
    from flowsock.codecs.message_codec import MessageFormat as MessageFormat
    from flowsock.codecs.undecodable import Undecodable as Undecodable
    from flowsock.emitting import Emitter as Emitter
    from flowsock.errors import Cancellation as Cancellation
    from flowsock.errors import ChannelCancelled as ChannelCancelled
    from flowsock.errors import ChannelClosed as ChannelClosed
    from flowsock.errors import EventStreamError as EventStreamError
    from flowsock.errors import EventStreamRejected as EventStreamRejected
    from flowsock.errors import FlowsockError as FlowsockError
    from flowsock.errors import HandshakeError as HandshakeError
    from flowsock.errors import HandshakeRejected as HandshakeRejected
    from flowsock.errors import JobCancelled as JobCancelled
    from flowsock.errors import MessagesLost as MessagesLost
    from flowsock.errors import NameTaken as NameTaken
    from flowsock.errors import NoSuchElement as NoSuchElement
    from flowsock.errors import ProtocolError as ProtocolError
    from flowsock.errors import SessionAborted as SessionAborted
    from flowsock.errors import SessionClosed as SessionClosed
    from flowsock.flows.builders import as_flow as as_flow
    from flowsock.flows.builders import callback_flow as callback_flow
    from flowsock.flows.builders import channel_flow as channel_flow
    from flowsock.flows.builders import combine as combine
    from flowsock.flows.builders import combine_transform as combine_transform
    from flowsock.flows.builders import consume_as_flow as consume_as_flow
    from flowsock.flows.builders import empty_flow as empty_flow
    from flowsock.flows.builders import flow as flow
    from flowsock.flows.builders import flow_of as flow_of
    from flowsock.flows.builders import interval as interval
    from flowsock.flows.builders import merge as merge
    from flowsock.flows.flow import Flow as Flow
    from flowsock.flows.flow import SharedFlow as SharedFlow
    from flowsock.flows.flow import StateFlow as StateFlow
    from flowsock.flows.shared import MutableSharedFlow as MutableSharedFlow
    from flowsock.flows.sharing import SharingCommand as SharingCommand
    from flowsock.flows.sharing import SharingStarted as SharingStarted
    from flowsock.flows.state import MutableStateFlow as MutableStateFlow
    from flowsock.rooms.room import Room as Room
    from flowsock.rooms.rooms import Rooms as Rooms
    from flowsock.scopes.completable import CompletableDeferred as CompletableDeferred
    from flowsock.scopes.job import Job as Job
    from flowsock.scopes.joining import await_all as await_all
    from flowsock.scopes.joining import join_all as join_all
    from flowsock.scopes.restart import Backoff as Backoff
    from flowsock.scopes.restart import Restart as Restart
    from flowsock.scopes.scope import Scope as Scope
    from flowsock.scopes.scope import coroutine_scope as coroutine_scope
    from flowsock.scopes.scope import current_scope as current_scope
    from flowsock.scopes.scope import supervisor_scope as supervisor_scope
    from flowsock.sessions.app import App as App
    from flowsock.sessions.client.client import connect as connect
    from flowsock.sessions.client.events import events as events
    from flowsock.sessions.client.link import Link as Link
    from flowsock.sessions.client.link_state import Connected as Connected
    from flowsock.sessions.client.link_state import Connecting as Connecting
    from flowsock.sessions.client.link_state import LinkState as LinkState
    from flowsock.sessions.client.link_state import Stopped as Stopped
    from flowsock.sessions.client.link_state import Waiting as Waiting
    from flowsock.sessions.client.raw_client import connect_raw as connect_raw
    from flowsock.sessions.client.reconnecting import reconnecting as reconnecting
    from flowsock.sessions.config import WebSocketConfig as WebSocketConfig
    from flowsock.sessions.events.event_stream_config import EventStreamConfig as EventStreamConfig
    from flowsock.sessions.raw_session import RawSession as RawSession
    from flowsock.sessions.routes.guards import reject as reject
    from flowsock.sessions.server.address import Address as Address
    from flowsock.sessions.server.server import Server as Server
    from flowsock.sessions.server.server import serve as serve
    from flowsock.sessions.server.server_config import ServerConfig as ServerConfig
    from flowsock.sessions.session import Session as Session
    from flowsock.sessions.slow_reader import SlowReader as SlowReader
    from flowsock.wire.close import CloseCode as CloseCode
    from flowsock.wire.close import CloseReason as CloseReason
    from flowsock.wire.deflate import Deflate as Deflate
    from flowsock.wire.frame import Frame as Frame
    from flowsock.wire.frame import Opcode as Opcode
    from flowsock.wire.request import Request as Request
    from flowsock.wire.response import Response as Response
    from flowsock.wire.server_sent_event import ServerSentComment as ServerSentComment
    from flowsock.wire.server_sent_event import ServerSentEvent as ServerSentEvent

# Every name is imported when it is first used (PEP 562): whoever needs a channel loads no server.
_HOMES: Final = {
    "BUFFERED": "flowsock.channels.capacity",
    "CONFLATED": "flowsock.channels.capacity",
    "RENDEZVOUS": "flowsock.channels.capacity",
    "UNLIMITED": "flowsock.channels.capacity",
    "Address": "flowsock.sessions.server.address",
    "App": "flowsock.sessions.app",
    "Backoff": "flowsock.scopes.restart",
    "Broker": "flowsock.brokers.broker",
    "BrokerClosed": "flowsock.brokers.broker_state",
    "BrokerConfig": "flowsock.brokers.broker_config",
    "BrokerConnected": "flowsock.brokers.broker_state",
    "BrokerConnecting": "flowsock.brokers.broker_state",
    "BrokerState": "flowsock.brokers.broker_state",
    "BrokerWaiting": "flowsock.brokers.broker_state",
    "BufferOverflow": "flowsock.channels.capacity",
    "Cancellation": "flowsock.errors",
    "Channel": "flowsock.channels.channel",
    "ChannelCancelled": "flowsock.errors",
    "ChannelClosed": "flowsock.errors",
    "CloseCode": "flowsock.wire.close",
    "CloseReason": "flowsock.wire.close",
    "CompletableDeferred": "flowsock.scopes.completable",
    "Connected": "flowsock.sessions.client.link_state",
    "Connecting": "flowsock.sessions.client.link_state",
    "Deflate": "flowsock.wire.deflate",
    "Emitter": "flowsock.emitting",
    "EventStreamConfig": "flowsock.sessions.events.event_stream_config",
    "EventStreamError": "flowsock.errors",
    "EventStreamRejected": "flowsock.errors",
    "Flow": "flowsock.flows.flow",
    "FlowsockError": "flowsock.errors",
    "Frame": "flowsock.wire.frame",
    "Gap": "flowsock.brokers.gap",
    "Guarantee": "flowsock.brokers.engine",
    "HandshakeError": "flowsock.errors",
    "HandshakeRejected": "flowsock.errors",
    "Job": "flowsock.scopes.job",
    "JobCancelled": "flowsock.errors",
    "Link": "flowsock.sessions.client.link",
    "LinkState": "flowsock.sessions.client.link_state",
    "MessageCodec": "flowsock.codecs.message_codec",
    "MessageFormat": "flowsock.codecs.message_codec",
    "MessagesLost": "flowsock.errors",
    "MutableSharedFlow": "flowsock.flows.shared",
    "MutableStateFlow": "flowsock.flows.state",
    "NameTaken": "flowsock.errors",
    "NoSuchElement": "flowsock.errors",
    "Opcode": "flowsock.wire.frame",
    "Producer": "flowsock.channels.producing",
    "ProtocolError": "flowsock.errors",
    "RawSession": "flowsock.sessions.raw_session",
    "Request": "flowsock.wire.request",
    "Response": "flowsock.wire.response",
    "Restart": "flowsock.scopes.restart",
    "Room": "flowsock.rooms.room",
    "Rooms": "flowsock.rooms.rooms",
    "Scope": "flowsock.scopes.scope",
    "Server": "flowsock.sessions.server.server",
    "ServerConfig": "flowsock.sessions.server.server_config",
    "ServerSentComment": "flowsock.wire.server_sent_event",
    "ServerSentEvent": "flowsock.wire.server_sent_event",
    "Session": "flowsock.sessions.session",
    "SessionAborted": "flowsock.errors",
    "SessionClosed": "flowsock.errors",
    "SharedFlow": "flowsock.flows.flow",
    "SharingCommand": "flowsock.flows.sharing",
    "SharingStarted": "flowsock.flows.sharing",
    "SlowReader": "flowsock.sessions.slow_reader",
    "StateFlow": "flowsock.flows.flow",
    "Stopped": "flowsock.sessions.client.link_state",
    "Topic": "flowsock.brokers.topic",
    "Undecodable": "flowsock.codecs.undecodable",
    "Waiting": "flowsock.sessions.client.link_state",
    "WebSocketConfig": "flowsock.sessions.config",
    "WouldBlock": "anyio",
    "as_flow": "flowsock.flows.builders",
    "await_all": "flowsock.scopes.joining",
    "callback_flow": "flowsock.flows.builders",
    "channel_flow": "flowsock.flows.builders",
    "codec_for": "flowsock.codecs.choosing",
    "combine": "flowsock.flows.builders",
    "combine_transform": "flowsock.flows.builders",
    "connect": "flowsock.sessions.client.client",
    "connect_raw": "flowsock.sessions.client.raw_client",
    "consume_as_flow": "flowsock.flows.builders",
    "coroutine_scope": "flowsock.scopes.scope",
    "current_scope": "flowsock.scopes.scope",
    "empty_flow": "flowsock.flows.builders",
    "events": "flowsock.sessions.client.events",
    "flow": "flowsock.flows.builders",
    "flow_of": "flowsock.flows.builders",
    "interval": "flowsock.flows.builders",
    "join_all": "flowsock.scopes.joining",
    "merge": "flowsock.flows.builders",
    "on_timeout": "flowsock.channels.select",
    "open_broker": "flowsock.brokers.broker",
    "produce": "flowsock.channels.producing",
    "raise_gap": "flowsock.brokers.gap",
    "reconnecting": "flowsock.sessions.client.reconnecting",
    "reject": "flowsock.sessions.routes.guards",
    "select": "flowsock.channels.select",
    "select_unbiased": "flowsock.channels.select",
    "serve": "flowsock.sessions.server.server",
    "supervisor_scope": "flowsock.scopes.scope",
    "while_select": "flowsock.channels.select",
}

__version__ = "0.1.0"

__all__ = (
    "BUFFERED",
    "CONFLATED",
    "RENDEZVOUS",
    "UNLIMITED",
    "Address",
    "App",
    "Backoff",
    "Broker",
    "BrokerClosed",
    "BrokerConfig",
    "BrokerConnected",
    "BrokerConnecting",
    "BrokerState",
    "BrokerWaiting",
    "BufferOverflow",
    "Cancellation",
    "Channel",
    "ChannelCancelled",
    "ChannelClosed",
    "CloseCode",
    "CloseReason",
    "CompletableDeferred",
    "Connected",
    "Connecting",
    "Deflate",
    "Emitter",
    "EventStreamConfig",
    "EventStreamError",
    "EventStreamRejected",
    "Flow",
    "FlowsockError",
    "Frame",
    "Gap",
    "Guarantee",
    "HandshakeError",
    "HandshakeRejected",
    "Job",
    "JobCancelled",
    "Link",
    "LinkState",
    "MessageCodec",
    "MessageFormat",
    "MessagesLost",
    "MutableSharedFlow",
    "MutableStateFlow",
    "NameTaken",
    "NoSuchElement",
    "Opcode",
    "Producer",
    "ProtocolError",
    "RawSession",
    "Request",
    "Response",
    "Restart",
    "Room",
    "Rooms",
    "Scope",
    "Server",
    "ServerConfig",
    "ServerSentComment",
    "ServerSentEvent",
    "Session",
    "SessionAborted",
    "SessionClosed",
    "SharedFlow",
    "SharingCommand",
    "SharingStarted",
    "SlowReader",
    "StateFlow",
    "Stopped",
    "Topic",
    "Undecodable",
    "Waiting",
    "WebSocketConfig",
    "WouldBlock",
    "as_flow",
    "await_all",
    "callback_flow",
    "channel_flow",
    "codec_for",
    "combine",
    "combine_transform",
    "connect",
    "connect_raw",
    "consume_as_flow",
    "coroutine_scope",
    "current_scope",
    "empty_flow",
    "events",
    "flow",
    "flow_of",
    "interval",
    "join_all",
    "merge",
    "on_timeout",
    "open_broker",
    "produce",
    "raise_gap",
    "reconnecting",
    "reject",
    "select",
    "select_unbiased",
    "serve",
    "supervisor_scope",
    "while_select",
)


def __getattr__(name: str) -> Any:
    module = _HOMES.get(name)
    if module is None:
        raise AttributeError(f"module 'flowsock' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
