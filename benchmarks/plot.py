"""Tables as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.measuring import OURS, spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measuring import Table

ENDINGS: Final = (".png", ".svg")
_OURS: Final = "#2563eb"
_OTHERS: Final = "#9ca3af"
_WIDTH: Final = 9.0
_ROW: Final = 0.32
_AROUND: Final = 1.1


def save_plot(tables: Sequence[Table], path: Path) -> None:
    """Draw each table as bars, medians with their ranges, into one file, whose ending says which kind.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the extra ``bench`` has it.
    """
    from matplotlib.figure import Figure

    heights = [_AROUND + _ROW * len(table.rows) for table in tables]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    every = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)
    for table, [axes] in zip(tables, every, strict=True):
        names = list(table.rows)
        spreads = [spread(table.rows[name]) for name in names]
        medians = [each.median for each in spreads]
        reach = [[each.median - each.low for each in spreads], [each.high - each.median for each in spreads]]
        colours = [_OURS if name.startswith(OURS) else _OTHERS for name in names]
        axes.barh(names, medians, xerr=reach, color=colours, capsize=2)
        axes.invert_yaxis()
        axes.set_title(table.title, fontsize=9, loc="left")
        axes.set_xlabel(table.unit, fontsize=8)
        axes.tick_params(labelsize=8)
        if max(medians) > 100 * max(min(medians), 1e-9) and min(medians) > 0:
            axes.set_xscale("log")
    figure.savefig(path)
