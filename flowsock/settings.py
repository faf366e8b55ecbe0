"""Values that hold settings: what is checked of each, and copies with some replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import evolve, fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from attrs import Attribute, AttrsInstance

    C = TypeVar("C", bound=AttrsInstance)


def positive(_config: object, setting: Attribute[Any], value: Any) -> None:
    """Validate that a setting, if there is one, is above 0.

    Raises:
        ValueError: it is not.
    """
    if value is not None and not value > 0:
        raise ValueError(f"{setting.name} must be above 0, not {value!r}")


def not_negative(_config: object, setting: Attribute[Any], value: Any) -> None:
    """Validate that a setting is 0 or above.

    Raises:
        ValueError: it is not.
    """
    if not value >= 0:
        raise ValueError(f"{setting.name} must not be negative, as {value!r} is")


def check_names(kind: type[Any], what: str, names: Iterable[str]) -> None:
    """Check that all names are those of settings.

    Raises:
        TypeError: there is no such setting.
    """
    known = [setting.name for setting in fields(kind) if setting.init]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TypeError(f"no such {what} setting: {', '.join(unknown)} (there are: {', '.join(known)})")


def replaced(config: C, what: str, overrides: Mapping[str, Any]) -> C:
    """Give a copy with some settings replaced.

    Raises:
        TypeError: there is no such setting.
    """
    check_names(type(config), what, overrides)
    if not overrides:
        return config
    copied: C = evolve(cast("Any", config), **overrides)
    return copied
