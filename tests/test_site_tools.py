"""What makes the site of the pages."""

from __future__ import annotations

import pytest

from docs.tools.filled import fill
from docs.tools.names import link_names


def test_a_name_is_a_link_where_it_comes_first() -> None:
    assert link_names("`merge` or `merge`, `@flow`") == "[`merge`][flowsock.merge] or `merge`, [`@flow`][flowsock.flow]"


@pytest.mark.parametrize(
    "text",
    [
        "# `merge`",
        "```python\nx = `merge`\n```",
        "[`merge`](flows.md)",
        "[`merge`][flowsock.merge]",
        "`no_such_name`",
        "``merge``",
        "`merge(a, b)`",
    ],
)
def test_what_is_no_name_or_a_link_already_is_left_alone(text: str) -> None:
    assert link_names(text) == text


def test_a_table_of_settings_has_their_defaults() -> None:
    table = fill("before\n\n<!-- settings: WebSocketConfig -->\n\nafter")
    assert "| `max_message_size` | `1_048_576` |" in table
    assert "| `deflate` | `None` |" in table
    assert table.startswith("before")
    assert table.endswith("after")


def test_the_help_of_each_command_is_shown() -> None:
    shown = fill("<!-- commands -->")
    assert all(f"## flowsock {command}\n" in shown for command in ("demo", "serve", "connect"))
    assert "--drain-timeout" in shown


def test_an_unknown_mark_is_refused() -> None:
    with pytest.raises(KeyError, match="setings"):
        fill("<!-- setings: WebSocketConfig -->")
