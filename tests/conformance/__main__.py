"""Run all of Autobahn's cases, or some, in both roles, and print a table: ``python -m tests.conformance [CASE …]``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import anyio

from tests.conformance.autobahn import client_verdicts, failed, server_verdicts
from tests.sessions.conftest import SOCKETS

if TYPE_CHECKING:
    from tests.conformance.autobahn import Verdicts

ROLES: Final = {"server": server_verdicts, "client": client_verdicts}


def counts(verdicts: Verdicts) -> dict[str, Counter[str]]:
    """Count how the cases of each group went, and of all."""
    groups: dict[str, Counter[str]] = {}
    for case, (behaviour, _) in verdicts.items():
        for group in (case.split(".")[0], "all"):
            groups.setdefault(group, Counter())[behaviour] += 1
    return dict(sorted(groups.items(), key=lambda item: (item[0] == "all", item[0].zfill(2))))


def print_table(title: str, verdicts: Verdicts) -> None:
    """Print how the cases of each group went."""
    print(f"{title}:")
    for group, found in counts(verdicts).items():
        print(f"  {group:>4} {found.total():>4}  {', '.join(f'{count} {name}' for name, count in found.most_common())}")
    for case, verdict in failed(verdicts).items():
        print(f"  failed: {case} {verdict}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("cases", nargs="*", default=["*"], metavar="CASE", help="a number, with * (default: all)")
    parser.add_argument("--loop", choices=SOCKETS, action="append", help="(default: every one)")
    parser.add_argument("--role", choices=ROLES, action="append", help="(default: both)")
    options = parser.parse_args()
    failures = 0
    for loop in options.loop or SOCKETS:
        for role in options.role or ROLES:
            backend, backend_options = SOCKETS[loop]
            with TemporaryDirectory() as reports:
                verdicts = anyio.run(
                    ROLES[role], options.cases, Path(reports), backend=backend, backend_options=backend_options
                )
            print_table(f"{role} on {loop}", verdicts)
            failures += len(failed(verdicts))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
