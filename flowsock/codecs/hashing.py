"""Whether a value can be looked up."""

from __future__ import annotations


def is_hashable(value: object) -> bool:
    """Tell whether a value, and all that it is compared by, has a hash: an annotation may hold a list."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
