"""What tests of flows and of sessions need.

`turbine` asks for a flow's events one by one. With `marbles` and `assert_marbles`, a line such as ``-a--b-|`` is a flow over
time, to be played or to compare with. `connect` opens a session with an app without a socket, over a `Line` that can be slow,
silent or cut; `event_stream` listens to one. On virtual time, hours pass at once.
"""

from flowsock.sessions.drivers.memory import Line
from flowsock.testing.clock import VirtualTimeLoop, virtual_time
from flowsock.testing.drawings import MarbleDrawing, marble
from flowsock.testing.event_streams import event_stream
from flowsock.testing.events import Complete, Error, Item, Left
from flowsock.testing.marble_flows import MarbleFlow, assert_marbles, marbles, observe, play
from flowsock.testing.notation import MarbleError, parse_marbles, render_marbles
from flowsock.testing.sessions import connect
from flowsock.testing.timelines import Timed, Timeline
from flowsock.testing.turbines import turbine

__all__ = (
    "Complete",
    "Error",
    "Item",
    "Left",
    "Line",
    "MarbleDrawing",
    "MarbleError",
    "MarbleFlow",
    "Timed",
    "Timeline",
    "VirtualTimeLoop",
    "assert_marbles",
    "connect",
    "event_stream",
    "marble",
    "marbles",
    "observe",
    "parse_marbles",
    "play",
    "render_marbles",
    "turbine",
    "virtual_time",
)
