"""Run one target under atheris, with the wire layer instrumented."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import atheris

TARGETS: Final = ("head", "extensions", "frames", "deflate", "event_stream")


def main() -> None:
    program, *arguments = sys.argv
    target, *options = arguments or [""]
    if target not in TARGETS:
        sys.exit(f"usage: python -m fuzz {{{','.join(TARGETS)}}} [libFuzzer's options] [CORPUS]")
    with atheris.instrument_imports(include=["flowsock.wire"]):
        check = import_module(f"fuzz.{target}").check
    atheris.Setup([program, *options], check)
    atheris.Fuzz()


main()
