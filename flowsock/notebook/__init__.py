"""Flows in Jupyter: what is shown while it changes, and jobs that go on when the cell has ended (extra ``notebook``).

`live` shows the newest value of a flow in one place, `chart` draws flows as lines, `serve` serves an app, and `scope` has the
jobs of all of them. ``await`` works in a cell as it is.
"""

from flowsock.notebook.charts import LiveChart, chart
from flowsock.notebook.displays import live
from flowsock.notebook.kernel_scope import KernelScope, scope
from flowsock.notebook.servers import serve

__all__ = ("KernelScope", "LiveChart", "chart", "live", "scope", "serve")
