"""What rooms tell of themselves in numbers."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class RoomsStatistics:
    """What is in the rooms of this process at one moment.

    Attributes:
        rooms: Rooms that somebody in this process is in.
        users: Users of this process in them; one that is in two rooms counts twice.
        members: Sessions of these users in them.
        lag: Messages that the slowest collector of any room has not picked up.
    """

    rooms: int
    users: int
    members: int
    lag: int
