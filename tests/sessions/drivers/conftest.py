"""Drivers are portable, and mostly about time: virtual time where there is any."""

from __future__ import annotations

from tests.conftest import anyio_backend as anyio_backend
