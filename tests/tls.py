"""Certificates for tests, of an authority that nobody else trusts."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import trustme


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def certificate(name: str = "127.0.0.1", *, expired: bool = False) -> tuple[Path, Path]:
    """Give the files of a certificate for that name, and of its key."""
    ends = datetime.now(UTC) - timedelta(days=1) if expired else None
    issued = authority().issue_cert(name, not_after=ends, not_before=ends and ends - timedelta(days=1))
    folder = Path(mkdtemp())
    files = folder / "certificate.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(files[1])
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files[0], append=True)
    return files


def client_context() -> ssl.SSLContext:
    """Trust that authority, and verify all the rest."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context
