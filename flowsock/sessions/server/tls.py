"""TLS for a server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TypeAlias

ServerTLS: TypeAlias = ssl.SSLContext | tuple[str | Path, str | Path]
"""A context, or the files of a certificate (with its chain) and of its key, both PEM."""


def server_context(tls: ServerTLS) -> ssl.SSLContext:
    """Give the context of a server: TLS 1.2 or later, no renegotiation, no compression, HTTP/1.1.

    A context that is given stays as it is.

    Raises:
        ValueError: the certificate or the key cannot be used.
    """
    if isinstance(tls, ssl.SSLContext):
        return tls
    certificate, key = map(Path, tls)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except OSError as error:
        # OpenSSL says neither which file it was nor, of most faults, which fault.
        raise ValueError(f"the certificate {certificate} and the key {key} cannot be used: {_fault(error)}") from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: decrypt it, or give an SSLContext that has loaded it")


def _fault(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "the key is not that of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else "not PEM, or damaged"
    return error.strerror or str(error)
