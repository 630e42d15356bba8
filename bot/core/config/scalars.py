"""Durations and sizes as people write them, and as programs use them: seconds and bytes."""

from __future__ import annotations

import re
from typing import Final

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(KiB|MiB|GiB)", re.ASCII)


def seconds(written: object) -> float:
    """``30s``, ``1h30m`` or a bare number of seconds. The schema has checked its form."""
    if isinstance(written, str):
        return sum(float(number) * SECONDS[unit] for number, unit in _PART.findall(written))
    assert isinstance(written, int | float)
    return float(written)


def size(written: object) -> int:
    """``10MiB`` or a bare number of bytes. The schema has checked its form."""
    if isinstance(written, str):
        return sum(int(float(number) * BYTES[unit]) for number, unit in _SIZE.findall(written))
    assert isinstance(written, int)
    return written
