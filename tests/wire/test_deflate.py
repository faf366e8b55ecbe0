"""Which compression two ends agree on (RFC 7692 section 7.1)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.errors import HandshakeError
from flowsock.sessions.config import WebSocketConfig
from flowsock.wire.deflate import Deflate, accept_deflate, answer_deflate, as_deflate, check_deflate, offer_deflate
from flowsock.wire.extensions import FIELD, parse_extensions
from flowsock.wire.headers import Headers
from tests.wire.support import bounded

WIDE = Deflate(server_max_window_bits=15, client_max_window_bits=15)
PMD = "permessage-deflate"


def accept(settings: Deflate, offers: str) -> Deflate | None:
    return accept_deflate(settings, parse_extensions(Headers([(FIELD, offers)])))


def check(settings: Deflate | None, answer: str) -> Deflate | None:
    return check_deflate(settings, parse_extensions(Headers([(FIELD, answer)])))


def test_the_usual_settings_spare_memory() -> None:
    assert Deflate() == Deflate(
        server_max_window_bits=12,
        client_max_window_bits=12,
        server_no_context_takeover=False,
        client_no_context_takeover=False,
        level=6,
        mem_level=5,
        threshold=256,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"server_max_window_bits": 7},
        {"server_max_window_bits": 16},
        {"client_max_window_bits": 7},
        {"client_max_window_bits": 16},
        {"level": 0},
        {"level": 10},
        {"mem_level": 0},
        {"mem_level": 10},
        {"threshold": 0},
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Deflate(**settings)


def test_what_compression_can_be_set_to() -> None:
    own = Deflate(level=1)
    assert [as_deflate(setting) for setting in (None, False, True, own)] == [None, None, Deflate(), own]
    with pytest.raises(TypeError, match="deflate"):
        WebSocketConfig(deflate="deflate")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "offer"),
    [
        (Deflate(), f"{PMD}; server_max_window_bits=12; client_max_window_bits=12"),
        (WIDE, f"{PMD}; client_max_window_bits"),
        (
            Deflate(server_no_context_takeover=True, client_no_context_takeover=True, server_max_window_bits=15),
            f"{PMD}; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12",
        ),
    ],
)
def test_what_a_client_offers(settings: Deflate, offer: str) -> None:
    assert str(offer_deflate(settings)) == offer


@pytest.mark.parametrize(
    ("settings", "offers", "answer"),
    [
        pytest.param(Deflate(), PMD, "server_max_window_bits=12", id="Safari: the client cannot be told"),
        pytest.param(
            Deflate(),
            f"{PMD}; client_max_window_bits",
            "server_max_window_bits=12; client_max_window_bits=12",
            id="Chrome and Firefox",
        ),
        pytest.param(WIDE, f"{PMD}; client_max_window_bits", "server_max_window_bits=15", id="no limit"),
        pytest.param(WIDE, f"{PMD}; server_max_window_bits=15", "server_max_window_bits=15", id="an offered 15 is answered"),
        pytest.param(
            Deflate(),
            f"{PMD}; server_max_window_bits=10; client_max_window_bits=9",
            "server_max_window_bits=10; client_max_window_bits=9",
            id="narrower than we",
        ),
        pytest.param(
            Deflate(),
            f"{PMD}; server_max_window_bits=8; client_max_window_bits=8",
            "server_max_window_bits=8; client_max_window_bits=8",
            id="8 bits: we send plain",
        ),
        pytest.param(
            WIDE,
            f"{PMD}; server_no_context_takeover; client_no_context_takeover",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15",
            id="the client wants no context",
        ),
        pytest.param(
            Deflate(server_no_context_takeover=True, client_no_context_takeover=True),
            PMD,
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
            id="we want no context",
        ),
        pytest.param(WIDE, f'{PMD}; server_max_window_bits="10"', "server_max_window_bits=10", id="quoted"),
        pytest.param(WIDE, f"{PMD}; server_max_window_bits=9, {PMD}", "server_max_window_bits=9", id="the client's preference"),
        pytest.param(WIDE, f"x-other, {PMD}; x=1, {PMD}", "server_max_window_bits=15", id="the first that is known"),
        pytest.param(Deflate(), ", ".join([f"{PMD}; x"] * 150 + [PMD]), "server_max_window_bits=12", id="21 the last of 151"),
    ],
)
def test_what_a_server_answers(settings: Deflate, offers: str, answer: str) -> None:
    agreed = accept(settings, offers)
    assert agreed is not None
    assert str(answer_deflate(agreed)) == f"{PMD}; {answer}"


WRONG = [
    "unknown",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=99",
    "server_max_window_bits=08",
    "server_max_window_bits=+9",
    "server_max_window_bits=1_0",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=x",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_no_context_takeover; server_no_context_takeover",
    "client_max_window_bits; client_max_window_bits=9",
    "Server_no_context_takeover",
]


@pytest.mark.parametrize("parameters", WRONG)
def test_21_a_wrong_offer_is_declined(parameters: str) -> None:
    assert accept(Deflate(), f"{PMD}; {parameters}") is None
    assert accept(Deflate(), f"{PMD}; {parameters}, {PMD}") is not None


@pytest.mark.parametrize("offers", ["x-webkit-deflate-frame", "PERMESSAGE-DEFLATE", "permessage-bzip2; client_max_window_bits"])
def test_an_unknown_extension_is_declined(offers: str) -> None:
    assert accept(Deflate(), offers) is None


@pytest.mark.parametrize("parameters", [*WRONG, "client_max_window_bits"])
def test_a_wrong_answer_fails_the_connection(parameters: str) -> None:
    with pytest.raises(HandshakeError):
        check(WIDE, f"{PMD}; {parameters}")


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        pytest.param(None, PMD, id="nothing was offered"),
        pytest.param(WIDE, "x-other", id="another extension"),
        pytest.param(WIDE, f"{PMD}, x-other", id="another extension too"),
        pytest.param(WIDE, f"{PMD}, {PMD}", id="twice"),
        pytest.param(Deflate(), PMD, id="the server keeps its window to itself"),
        pytest.param(Deflate(), f"{PMD}; server_max_window_bits=13", id="a larger window than asked for"),
        pytest.param(Deflate(server_no_context_takeover=True, server_max_window_bits=15), PMD, id="a context not to be"),
    ],
)
def test_an_answer_to_another_offer_fails_the_connection(settings: Deflate | None, answer: str) -> None:
    with pytest.raises(HandshakeError):
        check(settings, answer)


def test_no_answer_is_no_compression() -> None:
    assert check_deflate(Deflate(), ()) is None


@pytest.mark.parametrize(
    ("settings", "answer", "agreed"),
    [
        pytest.param(WIDE, PMD, WIDE, id="nothing said"),
        pytest.param(
            WIDE,
            f"{PMD}; server_max_window_bits=8; client_max_window_bits=9",
            Deflate(server_max_window_bits=8, client_max_window_bits=9),
            id="windows",
        ),
        pytest.param(
            Deflate(),
            f"{PMD}; server_max_window_bits=12; client_max_window_bits=15",
            Deflate(),
            id="the server allows more than we use",
        ),
        pytest.param(
            Deflate(client_no_context_takeover=True, threshold=7),
            f"{PMD}; server_max_window_bits=12; server_no_context_takeover",
            Deflate(client_no_context_takeover=True, server_no_context_takeover=True, threshold=7),
            id="no contexts",
        ),
        pytest.param(
            Deflate(),
            f"{PMD}; server_max_window_bits=12; client_no_context_takeover",
            Deflate(client_no_context_takeover=True),
            id="the server wants no context of ours",
        ),
    ],
)
def test_what_a_client_takes_an_answer_for(settings: Deflate, answer: str, agreed: Deflate) -> None:
    assert check(settings, answer) == agreed


windows = st.integers(8, 15)
settings = st.builds(
    Deflate,
    server_max_window_bits=windows,
    client_max_window_bits=windows,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
)


@bounded
@given(settings, settings)
def test_our_two_ends_agree_on_what_both_want(client: Deflate, server: Deflate) -> None:
    agreed = accept_deflate(server, [offer_deflate(client)])
    assert agreed is not None
    assert check_deflate(client, [answer_deflate(agreed)]) == agreed
    for name in ("server_max_window_bits", "client_max_window_bits"):
        assert getattr(agreed, name) == min(getattr(client, name), getattr(server, name))
    for name in ("server_no_context_takeover", "client_no_context_takeover"):
        assert getattr(agreed, name) == (getattr(client, name) or getattr(server, name))
