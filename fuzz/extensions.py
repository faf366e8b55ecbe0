"""The field of extensions, as a server reads offers and a client reads answers."""

from __future__ import annotations

from flowsock.errors import HandshakeError
from flowsock.wire.deflate import Deflate, accept_deflate, answer_deflate, check_deflate
from flowsock.wire.extensions import FIELD, parse_extensions
from flowsock.wire.headers import Headers


def check(data: bytes) -> None:
    """Read the bytes as a list of extensions, accept it, and check the answer as whoever offered it would."""
    settings = Deflate()
    try:
        extensions = parse_extensions(Headers([(FIELD, data.decode("latin-1"))]))
    except ValueError:
        return
    assert parse_extensions(Headers([(FIELD, ", ".join(map(str, extensions)))])) == extensions
    agreed = accept_deflate(settings, extensions)
    if agreed is not None:
        assert agreed.server_max_window_bits <= settings.server_max_window_bits
        answer = answer_deflate(agreed)
        assert check_deflate(Deflate(server_max_window_bits=15, client_max_window_bits=15), [answer]) == agreed
    try:
        checked = check_deflate(settings, extensions)
    except HandshakeError:
        return
    assert checked is not None
    assert checked.server_max_window_bits <= settings.server_max_window_bits
    assert checked.client_max_window_bits <= settings.client_max_window_bits
