"""What tests of flows need: `turbine`, which asks for a flow's events one by one, and virtual time."""

from flowsock.testing.clock import VirtualTimeLoop, virtual_time
from flowsock.testing.turbines import Complete, Error, Item, turbine

__all__ = ("Complete", "Error", "Item", "VirtualTimeLoop", "turbine", "virtual_time")
