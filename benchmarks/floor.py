"""The floor below every server: a program in C, compiled when it is needed."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.echo import running

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOOR: Final = "C loop of send()"
_SOURCE: Final = Path(__file__).with_name("floor.c")


@contextmanager
def compiled_floor() -> Iterator[Path | None]:
    """Compile the program for a block; give ``None`` if there is no C compiler."""
    compiler = shutil.which("cc")
    with TemporaryDirectory() as directory:
        program = Path(directory) / "floor"
        if compiler is not None:
            subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
        yield program if compiler is not None else None


@contextmanager
def running_floor(program: Path, mode: str, core: int) -> Iterator[tuple[int, int]]:
    """Run it; give its port and its process."""
    with running([str(program), mode, str(core)]) as found:
        yield found
