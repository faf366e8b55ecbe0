"""What proxies tell, and whom of them to believe."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flowsock.wire.forwarding import TrustedProxies, normal_address
from flowsock.wire.request import Request


def arrived(*fields: tuple[str, str], peer: str | None = "10.0.0.1", secure: bool = False) -> Request:
    return Request("GET", "/", [("Host", "inner:8080"), *fields], client=peer, secure=secure)


def seen(request: Request, *networks: str, headers: Any = "x-forwarded") -> tuple[str | None, bool, str]:
    resolved = TrustedProxies.of(networks, headers).resolve(request)
    return resolved.client, resolved.secure, resolved.host


FOR = "X-Forwarded-For"
ALL = ((FOR, "192.0.2.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "example.com"))


def test_nobody_is_believed_unless_trusted() -> None:
    assert seen(arrived(*ALL)) == ("10.0.0.1", False, "inner:8080")
    assert seen(arrived(*ALL), "10.0.0.2", "192.0.2.0/24") == ("10.0.0.1", False, "inner:8080")
    assert seen(arrived(*ALL, peer=None), "10.0.0.0/8") == (None, False, "inner:8080")


def test_a_trusted_proxy_is_believed() -> None:
    assert seen(arrived(*ALL), "10.0.0.0/8") == ("192.0.2.7", True, "example.com")
    assert seen(arrived(*ALL, peer=None), "unix") == ("192.0.2.7", True, "example.com")
    assert seen(arrived(), "10.0.0.0/8") == ("10.0.0.1", False, "inner:8080")
    assert seen(arrived((FOR, "192.0.2.7")), "10.0.0.0/8") == ("192.0.2.7", False, "inner:8080")
    assert seen(arrived((FOR, "192.0.2.7"), ("X-Forwarded-Proto", "http"), secure=True), "10.0.0.1")[1] is False


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7, 10.0.0.3"], "192.0.2.7"),
        (["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
        (["6.6.6.6, junk"], "10.0.0.1"),
        (["6.6.6.6, unknown, 10.0.0.3"], "10.0.0.3"),
        (["192.0.2.7:4711"], "192.0.2.7"),
        (["[2001:db8::1]:4711"], "2001:db8::1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7\t"], "192.0.2.7"),
        (["6.6.6.6,"], "10.0.0.1"),
        (["<script>"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_first_from_behind_who_is_not_trusted(chain: list[str], client: str) -> None:
    assert seen(arrived(*((FOR, part) for part in chain)), "10.0.0.0/8")[0] == client


def test_what_was_said_before_the_trusted_proxies_is_not_believed() -> None:
    fields = ((FOR, "192.0.2.7"), ("X-Forwarded-Proto", "https, http"), ("X-Forwarded-Host", "evil.com, example.com"))
    assert seen(arrived(*fields), "10.0.0.1") == ("192.0.2.7", False, "example.com")


def test_a_malformed_host_is_not_believed() -> None:
    assert seen(arrived((FOR, "192.0.2.7"), ("X-Forwarded-Host", "a/?x=")), "10.0.0.1")[2] == "inner:8080"


FORWARDED = 'for=192.0.2.7;proto=https;host="example.com"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FORWARDED, ("192.0.2.7", True, "example.com")),
        ("For=192.0.2.7; Proto=HTTPS; by=10.0.0.1", ("192.0.2.7", True, "inner:8080")),
        (f"for=6.6.6.6;host=evil.com, {FORWARDED}", ("192.0.2.7", True, "example.com")),
        (f"{FORWARDED}, for=10.0.0.3", ("192.0.2.7", True, "example.com")),
        ('for="[2001:db8::1]:47"', ("2001:db8::1", False, "inner:8080")),
        ('for="192.0.2.\\7"', ("192.0.2.7", False, "inner:8080")),
        ('for="a, for=1.1.1.1"', ("10.0.0.1", False, "inner:8080")),
        ("for=_hidden;proto=https", ("10.0.0.1", True, "inner:8080")),
        ("for=192.0.2.7 proto=https", ("10.0.0.1", False, "inner:8080")),
        ('for="192.0.2.7', ("10.0.0.1", False, "inner:8080")),
        ("for", ("10.0.0.1", False, "inner:8080")),
        ("", ("10.0.0.1", False, "inner:8080")),
    ],
)
def test_forwarded(value: str, expected: tuple[str, bool, str]) -> None:
    assert seen(arrived(("Forwarded", value)), "10.0.0.0/8", headers="forwarded") == expected


def test_one_family_of_fields_is_read_and_the_other_is_not() -> None:
    request = arrived((FOR, "192.0.2.7"), ("Forwarded", "for=6.6.6.6"))
    assert seen(request, "10.0.0.1")[0] == "192.0.2.7"
    assert seen(request, "10.0.0.1", headers="forwarded")[0] == "6.6.6.6"


def test_long_fields_take_linear_time() -> None:
    before = time.process_time()
    for value in ('for="' + "\\" * 7000, "for=" + "a" * 7000, " " * 7000, "for=1.1.1.1;" * 600, "," * 7000):
        seen(arrived(("Forwarded", value)), "10.0.0.1", headers="forwarded")
        seen(arrived((FOR, value)), "10.0.0.1")
    assert time.process_time() - before < 1


@pytest.mark.parametrize("networks", [["10.0.0.1/8"], ["example.com"], [""]])
def test_a_network_that_is_none_is_refused(networks: list[str]) -> None:
    with pytest.raises(ValueError, match=r"network|has host bits set"):
        TrustedProxies.of(networks)


def test_networks_are_a_list() -> None:
    with pytest.raises(TypeError, match="not one string"):
        TrustedProxies.of("10.0.0.0/8")


@pytest.mark.parametrize("text", ["", "unknown", "1.2.3", "1.2.3.4:x", "[::1", "::1]", "1.2.3.4 5", "\u0661.2.3.4"])
def test_an_address_that_is_none(text: str) -> None:
    assert normal_address(text) is None
