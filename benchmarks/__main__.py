"""``python -m benchmarks [flows] [hot] [echo] [memory] [instructions]``: measure, and print a table for each area."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from benchmarks import broadcast, churn, echo, flows, hot, instructions, latency, memory, startup
from benchmarks.measuring import QUICK, Effort, missing_packages
from benchmarks.plot import ENDINGS, save_plot
from benchmarks.report import as_json, header_text, table_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measuring import Table


def _measure_hot(effort: Effort) -> list[Table]:
    sizes = [size for size in hot.SIZES if effort.scale >= 1 or size < hot.SIZES[-1]]
    return hot.measure(effort, sizes)


_AREAS: Final[dict[str, Callable[[Effort], list[Table]]]] = {
    "flows": flows.measure,
    "hot": _measure_hot,
    "echo": echo.measure,
    "memory": memory.measure,
    "broadcast": broadcast.measure,
    "latency": latency.measure,
    "startup": startup.measure,
    "churn": churn.measure,
    "instructions": instructions.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the areas that are asked for, all of them unless told otherwise."""
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = [name for name in options.areas if name not in _AREAS]
    if unknown:
        parser.error(f"no such area: {', '.join(unknown)}")
    if options.plot is not None and (missing := missing_packages(["matplotlib"])):
        parser.error(f"--plot needs {missing[0]}, which is not installed")
    effort = QUICK if options.quick else Effort()
    if options.rounds is not None:
        effort = evolve(effort, rounds=options.rounds)
    if options.sessions is not None:
        effort = evolve(effort, sessions=options.sessions)
    _say(header_text(effort))
    measured: dict[str, list[Table]] = {}
    for name in dict.fromkeys(options.areas or _AREAS):
        try:
            measured[name] = _AREAS[name](effort)
        except NotImplementedError as error:
            _say(f"\n{name}: left out: {error}")
            continue
        for table in measured[name]:
            _say(f"\n{table_text(table)}")
    if options.plot is not None:
        save_plot([table for tables in measured.values() for table in tables], options.plot)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(effort, measured), indent=2, ensure_ascii=False) + "\n")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m benchmarks", description="Compare flowsock with hand-written code and other libraries.")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"one of {', '.join(_AREAS)}; all unless given")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="how often everybody is measured")
    parser.add_argument("--sessions", type=_positive, metavar="N", help="how many are open where there are many")
    parser.add_argument("--quick", action="store_true", help="less work, fewer rounds, fewer sessions and subscribers")
    parser.add_argument("--plot", type=_picture, metavar="FILE", help="also draw the tables, as .png or .svg; needs matplotlib")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers here")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix not in ENDINGS:
        raise ArgumentTypeError(f"{text!r} ends in none of {', '.join(ENDINGS)}")
    return path


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
