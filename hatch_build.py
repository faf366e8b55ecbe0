"""Compile the optional speedups into a wheel, or in place for an editable installation; without a compiler, leave them out."""

from __future__ import annotations

import os
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCE = "flowsock/wire/_speedups.c"
_MODULE = "flowsock.wire._speedups"


class Speedups(BuildHookInterface[Any]):
    """Compile before a wheel is made, unless ``FLOWSOCK_PURE`` is set."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and put the library into the wheel."""
        if self.target_name != "wheel" or os.environ.get("FLOWSOCK_PURE"):
            return
        library = compile_speedups(Path(self.root))
        if library is not None:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"].append(f"/{library}")


def compile_speedups(root: Path) -> str | None:
    """Compile in place, and give the library's path below the root, or ``None`` if that is not possible."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    with chdir(root), TemporaryDirectory() as temporary:
        command = build_ext(Distribution({"name": "flowsock", "ext_modules": [Extension(_MODULE, [_SOURCE])]}))
        command.inplace = True
        command.build_temp = temporary
        try:
            command.ensure_finalized()
            command.run()
        except Exception as error:
            sys.stderr.write(f"flowsock is installed without its speedups in C: {error}\n")
            return None
        return command.get_ext_filename(_MODULE)


if __name__ == "__main__":
    sys.exit(compile_speedups(Path(__file__).resolve().parent) is None)
