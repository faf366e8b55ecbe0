from __future__ import annotations

import pytest

from flowsock.wire.close import CloseCode, CloseReason, is_sendable, truncate_message


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 3999, 4000, 4999])
def test_code_that_may_be_sent(code: int) -> None:
    assert is_sendable(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535])
def test_code_that_must_not_be_sent(code: int) -> None:
    assert not is_sendable(code)


@pytest.mark.parametrize(("code", "clean"), [(1000, True), (1001, True), (1002, False), (1005, False), (4000, False)])
def test_only_1000_and_1001_are_clean(code: int, clean: bool) -> None:
    assert CloseReason(code).is_clean is clean


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (CloseReason(1009, "too much"), "1009 (TOO_BIG): too much"),
        (CloseReason(CloseCode.NORMAL), "1000 (NORMAL)"),
        (CloseReason(4001, "again"), "4001: again"),
        (CloseReason(4001), "4001"),
    ],
)
def test_reason_as_text(reason: CloseReason, text: str) -> None:
    assert str(reason) == text


def test_repr_and_equality_do_not_tell_an_enum_from_its_number() -> None:
    assert CloseReason(CloseCode.TOO_BIG, "x") == CloseReason(1009, "x")
    assert repr(CloseReason(CloseCode.TOO_BIG, "x")) == "CloseReason(code=1009, message='x')"


def test_message_of_123_bytes_fits_and_of_124_does_not() -> None:
    assert CloseReason(1000, "é" * 61 + "x").message == "é" * 61 + "x"
    with pytest.raises(ValueError, match="123 bytes"):
        CloseReason(1000, "é" * 62)


def test_message_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        CloseReason(1000, "\ud800")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("short", "short"),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("é" * 62, "é" * 61),
        ("x" + "é" * 61, "x" + "é" * 61),
        ("€" * 50, "€" * 41),
        ("x" * 121 + "😀", "x" * 121),
        ("a\ud800b", "a?b"),
    ],
)
def test_message_is_cut_on_a_code_point_edge(text: str, cut: str) -> None:
    assert truncate_message(text) == cut
    CloseReason(1000, truncate_message(text))
