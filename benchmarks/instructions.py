"""How many instructions the paths of the library take, as callgrind counts them: the same number on a busy machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import Table
from benchmarks.paths import PATHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measuring import Effort

_ROOT: Final = Path(__file__).resolve().parent.parent
_FEW: Final = 1000
_MANY: Final = 11_000
_COUNTED: Final = re.compile(r"Collected : (\d+)")
_NOTES: Final = (
    "Instructions of one more unit: the difference of two runs of different length, each in a process, without network.",
    "The same program gives the same numbers to within a part of a percent; another build of Python gives others.",
)


def measure(effort: Effort, paths: Sequence[str] = tuple(PATHS)) -> list[Table]:
    """Count for each path, once: there is nothing to repeat.

    Raises:
        NotImplementedError: valgrind is not installed.
    """
    if shutil.which("valgrind") is None:
        raise NotImplementedError("instructions needs valgrind on the path")
    few, many = effort.scaled(_FEW), effort.scaled(_MANY)
    rows = {name: [(_instructions(name, many) - _instructions(name, few)) / (many - few)] for name in paths}
    return [Table("paths, without network", "instructions", paths[0], rows, notes=_NOTES)]


def _instructions(name: str, count: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, "-m", "benchmarks.paths", name, str(count)]
    # With hashes of its own in each process, dictionaries and so the counts would differ.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True)
    found = _COUNTED.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1])
