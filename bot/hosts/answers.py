"""What a host answers, or that it does not: in the port's words, its own message with it, and never a secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import requests

from bot.core.errors import ConfigError, HostBusy, HostDenied, HostError, HostGone, HostUnclear

LONGEST_WAIT: Final = 3600.0
LONGEST_ANSWER: Final = 60.0
"""Seconds that one answer may take in all."""
MOST_BYTES: Final = 32 * 2**20


@contextmanager
def reaching(verb: str) -> Iterator[None]:
    """What goes wrong on the wire becomes HostBusy, HostDenied or HostUnclear."""
    try:
        yield
    except (requests.RequestException, OSError) as error:
        # Only the kind of error is told: its text may hold headers.
        if verb != "GET":
            raise HostUnclear(f"{verb}: the connection was lost ({type(error).__name__})") from None
        raise HostBusy(f"the host cannot be reached ({type(error).__name__})", 10.0) from None
    except ConfigError as error:
        raise HostDenied(str(error)) from None


def failure(
    verb: str, path: str, status: int, headers: Mapping[str, str], text: str, wait: float | None = None
) -> HostError:
    """What the caller should do about an answer of 400 or more. ``headers`` have lower-case names; ``wait`` are the
    seconds to stay silent, when the host's answer means that we said too much."""
    what = f"{verb} {path.partition('?')[0]}: {status} {words(text)}".strip()
    if wait is not None:
        return HostBusy(what, wait)
    if status in (404, 410):
        return HostGone(what)
    if status >= 500:
        return HostUnclear(what) if verb != "GET" else HostBusy(what, retry_after(headers) or 10.0)
    return HostDenied(what)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as the host asks for; None when it does not. ``headers`` have lower-case names."""
    after = headers.get("retry-after", "")
    return min(float(after), LONGEST_WAIT) if after.isascii() and after.isdecimal() else None


def parsed(text: str | None) -> Any:
    """JSON, or None for what is none."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def bounded(response: requests.Response) -> str:
    """The body, of bounded length and within bounded time. Raises requests.Timeout, HostDenied."""
    began, size, parts = time.monotonic(), 0, []
    for part in response.iter_content(65536):
        size += len(part)
        if size > MOST_BYTES:
            raise HostDenied(f"the host's answer is longer than {MOST_BYTES >> 20} MiB")
        if time.monotonic() - began > LONGEST_ANSWER:
            raise requests.Timeout
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")


def words(text: str | None) -> str:
    """The host's message and what it finds wrong, on one printable line."""
    data = parsed(text)
    if not isinstance(data, dict):
        return ""
    found = [str(data.get("message") or data.get("error") or "")]
    errors = data.get("errors")
    for each in errors[:5] if isinstance(errors, list) else ():
        found.append(str(each.get("message") or each.get("code") or "") if isinstance(each, dict) else str(each))
    line = "; ".join(dict.fromkeys(part for part in found if part))
    return "".join(char if char.isprintable() else " " for char in line)[:300]


def made_id(made: object) -> str:
    """The id of what was made. Raises HostUnclear for an answer that names none."""
    number = made.get("id") if isinstance(made, Mapping) else None
    if not isinstance(number, int):
        raise HostUnclear("the host did not say what it made")
    return str(number)


def known_id(text: str) -> str:
    """An id as it may stand in a path. Raises HostGone for what never was one."""
    if not text.isascii() or not text.isdecimal():
        raise HostGone(f"no such thing: {text[:40]!r}")
    return text
