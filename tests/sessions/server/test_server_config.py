"""Every setting of a server."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock import App, ServerConfig, serve


@pytest.mark.parametrize(
    "setting",
    [
        {"handshake_timeout": 0},
        {"handshake_timeout": float("nan")},
        {"drain_timeout": -1},
        {"max_handshakes": 0},
        {"max_sessions": 0},
        {"max_sessions_per_address": -1},
        {"proxy_headers": "x-real-ip"},
    ],
)
def test_a_setting_without_sense_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        ServerConfig(**setting)


def test_trusted_proxies_are_a_list_of_networks() -> None:
    with pytest.raises(TypeError, match="not one string"):
        ServerConfig(trusted_proxies="10.0.0.0/8")
    with pytest.raises(ValueError, match=r"example\.com"):
        ServerConfig(trusted_proxies=["example.com"])
    assert ServerConfig(trusted_proxies=["10.0.0.0/8", "unix"]).trusted_proxies == ("10.0.0.0/8", "unix")


def test_overriding() -> None:
    config = ServerConfig(trusted_proxies=["unix"]).with_overrides({"max_sessions": 5})
    assert config == ServerConfig(trusted_proxies=["unix"], max_sessions=5)
    assert config.with_overrides({}) is config


@pytest.mark.anyio
async def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"no such server setting: max_session \(there are: handshake_timeout, .*access_log\)"):
        async with serve(App(), max_session=5):
            pytest.fail("served")
