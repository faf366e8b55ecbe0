"""Paths and their parameters."""

from __future__ import annotations

import pytest

from flowsock.sessions.routes.pattern import Pattern


@pytest.mark.parametrize(
    ("path", "target", "found"),
    [
        ("/", "/", {}),
        ("/", "/x", None),
        ("/", "*", None),
        ("/chat", "/chat", {}),
        ("/chat", "/chat/", None),
        ("/chat", "/chatter", None),
        ("/chat", "/%63hat", {}),
        ("/chat", "/Chat", None),
        ("/chat/{room}", "/chat/red", {"room": "red"}),
        ("/chat/{room}", "/chat/", None),
        ("/chat/{room}", "/chat", None),
        ("/chat/{room}", "/chat/red/blue", None),
        ("/chat/{room}", "/chat/red%2Fblue", {"room": "red/blue"}),
        ("/chat/{room}", "/chat/%E4%B8%96%20%3F", {"room": "世 ?"}),
        ("/chat/{room}", "/chat/a+b", {"room": "a+b"}),
        ("/chat/{room}", "/chat/{room}", {"room": "{room}"}),
        ("/chat/{room}", "/chat/100%25", {"room": "100%"}),
        ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/{a}/x", "//x", None),
        ("/grüße", "/gr%C3%BC%C3%9Fe", {}),
        ("/files/{path...}", "/files/a", {"path": "a"}),
        ("/files/{path...}", "/files/a/b.txt", {"path": "a/b.txt"}),
        ("/files/{path...}", "/files/a/", {"path": "a/"}),
        ("/files/{path...}", "/files/", {"path": ""}),
        ("/files/{path...}", "/files", None),
        ("/files/{path...}", "/other/a", None),
        ("/files/{path...}", "/files/a%20b/c", {"path": "a b/c"}),
        ("/{user}/{path...}", "/ann/x/y", {"user": "ann", "path": "x/y"}),
        ("/{path...}", "/", {"path": ""}),
    ],
)
def test_a_path_matches_segment_by_segment(path: str, target: str, found: dict[str, str] | None) -> None:
    assert Pattern(path).match(target) == found


@pytest.mark.parametrize("path", ["/files/{path}", "/files/{path...}"])
@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "%2e%2e",
        "..%2Fetc%2Fpasswd",
        "a%2F..%2Fb",
        "a%2F..",
        "%2Fetc%2Fpasswd",
        "a%2F%2Fb",
        "..%5Cb",
        "%5Cserver",
        "a%00",
        "a%0A",
        "a%1b%5b31m",
        "a%7F",
        "%ff",
        "%c0%ae",
        "%ed%a0%80",
        "a%",
        "a%2",
        "%zz",
        "%u0041",
    ],
)
def test_a_value_that_leads_elsewhere_or_is_no_text_matches_nothing(path: str, value: str) -> None:
    assert Pattern(path).match(f"/files/{value}") is None


@pytest.mark.parametrize("target", ["/files//etc/passwd", "/files/a//b", "/files/a/../b", "/files/../b", "/files/a/.."])
def test_the_rest_of_a_path_stays_below(target: str) -> None:
    assert Pattern("/files/{path...}").match(target) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "chat",
        "/{}",
        "/{a b}",
        "/{a}/{a}",
        "/{1}",
        "/{...}",
        "/{a...}/b",
        "/x{a}",
        "/{a}x",
        "/{a",
        "/a}",
        "/{{a}}",
        "/{a..}",
    ],
)
def test_a_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Pattern(path)


def test_it_shows_its_path_and_names_its_parameters() -> None:
    assert repr(Pattern("/{a}/{b...}")) == "Pattern(path='/{a}/{b...}')"
    assert Pattern("/{a}/x/{b...}").parameters == ("a", "b")
    assert Pattern("/a") == Pattern("/a")
