"""Hold clients that say nothing: ``python -m benchmarks.holding PORT`` opens as many more as each line that it reads tells.

It writes a line when they are there, and keeps them until its standard input ends.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.load import CLOSE, opened

if TYPE_CHECKING:
    from socket import socket


def main(port: int) -> None:
    """Open clients as told."""
    held: list[socket] = []
    for line in sys.stdin:
        held += [opened(port) for _ in range(int(line))]
        sys.stdout.write(f"{len(held)}\n")
        sys.stdout.flush()
    for connection in held:
        connection.sendall(CLOSE)


if __name__ == "__main__":
    main(int(sys.argv[1]))
