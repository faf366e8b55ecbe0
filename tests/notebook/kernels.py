"""Running notebooks in real kernels, from top to bottom.

``python -m tests.notebook.kernels`` runs all of them and stores what came out; a cell with the tag ``varies`` shows something
else each time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))

# What tells when, or in which kernel, something ran, but not what came out.
_CIRCUMSTANCES = ("execution", "widgets")


def read(name: str) -> Any:
    """Give a notebook as it is stored."""
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def run(name: str) -> Any:
    """Run all cells, and give the notebook with what came out."""
    notebook = read(name)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    for each in (notebook, *notebook.cells):
        for key in _CIRCUMSTANCES:
            each.metadata.pop(key, None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            # A widget lives in the kernel that made it.
            if "image/svg+xml" in output.get("data", {}):
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        nbformat.write(run(name), NOTEBOOKS / f"{name}.ipynb")  # type: ignore[no-untyped-call]
