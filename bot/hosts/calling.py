"""Calls to a REST API: counted, silent when the host asks for it, every refusal an error of the port's.

What is said on the wire is each host's own; nobody sleeps here: what cannot be done now is looked at later.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from bot.core.errors import HostBusy, HostDenied, HostError
from bot.hosts.answers import failure, parsed, reaching, retry_after, words
from bot.hosts.patience import Patience
from bot.hosts.signing import Secret
from bot.ports import Budget

LIMITED_WAIT: Final = 60.0
"""Seconds of silence after a 429 that names none: such limits are counted by the minute."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def data(self) -> Any:
        """The body as JSON; None when it is none."""
        return parsed(self.text)

    @property
    def said(self) -> str:
        """The host's own words about what is wrong."""
        return words(self.text)


class Calling(ABC):
    """Calls as one account, whose token signs each. Raises HostBusy, HostDenied, HostGone; on writes HostUnclear."""

    who: ClassVar[str]
    """How messages call the host."""

    def __init__(self, token: Secret | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._supply = token
        self._patience = Patience(clock)
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()

    @abstractmethod
    def _exchange(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        """One call on the wire, whatever its status."""

    @abstractmethod
    def _kind(self, path: str) -> str:
        """What a call is about, for counting."""

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls so far by (method, kind)."""
        with self._lock:
            return dict(self._calls)

    def token(self) -> str:
        """The token as it is now. Raises HostDenied for what is none, ConfigError when it cannot be read."""
        token = self._supply().strip() if self._supply is not None else ""
        if not token or not token.isascii() or not token.isprintable():
            raise HostDenied("no token is configured for this host: it is one line of plain characters")
        return token

    def get(self, path: str) -> dict[str, Any]:
        """One object."""
        data = self.send("GET", path).data
        if not isinstance(data, dict):
            raise odd(path, self.who)
        return data

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One write; the answer's JSON."""
        return self.send(verb, path, body).data

    def send(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, *, expect: tuple[int, ...] = ()
    ) -> Answer:
        """One call. Statuses of 300 and more are raised, but for those that are expected."""
        self._patience.check()
        with self._lock:
            self._calls[verb, self._kind(path)] += 1
        with self._patience.trying(), reaching(verb):
            answer = self._exchange(verb, path, body)
        self._patience.answered(answer.status)
        if answer.status >= 300 and answer.status not in expect:
            raise self._raised(verb, path, answer)
        return answer

    def _raised(self, verb: str, path: str, answer: Answer) -> HostError:
        if answer.status < 400:
            return moved(verb, path, answer.status)
        wait = (retry_after(answer.headers) or LIMITED_WAIT) if answer.status == 429 else None
        if wait is not None:
            self._patience.asked(wait)
        return failure(verb, path, answer.status, answer.headers, answer.text, wait)


def moved(verb: str, path: str, status: int) -> HostDenied:
    """The answer to a call that was sent elsewhere, where nobody follows."""
    return HostDenied(f"{verb} {path.partition('?')[0]}: {status}: moved; set its present address")


def odd(path: str, who: str) -> HostBusy:
    """What to say of an answer of another shape than who gave it documents."""
    return HostBusy(f"GET {path.partition('?')[0]}: the answer is not what {who} documents", 30.0)


def taken(pages: Iterable[list[dict[str, Any]]], most: int) -> tuple[list[dict[str, Any]], bool]:
    """A list over its pages, at most ``most`` items; and whether it is whole."""
    found: list[dict[str, Any]] = []
    for page in pages:
        found.extend(page)
        if len(found) > most:
            return found[:most], False
    return found, True


def next_page(link: str, prefix: str) -> str:
    """The path, below ``prefix``, and query of the next page that a ``Link`` header names; empty for none. Only they
    are taken: the address stays the configured one."""
    for part in link.split(","):
        target, _, rest = part.partition(";")
        if 'rel="next"' in rest:
            url = urlsplit(target.strip().strip("<>"))
            # Behind a proxy the server may know itself by another path than ours.
            return f"{url.path[max(url.path.find(prefix), 0) :].removeprefix(prefix)}?{url.query}"
    return ""


def told_budget(headers: Mapping[str, str], prefix: str) -> Budget | None:
    """What is left of the limit, as headers ``PREFIX-limit``, ``-remaining`` and ``-reset`` say; None when not."""
    try:
        limit, left = int(headers[f"{prefix}-limit"]), int(headers[f"{prefix}-remaining"])
        return Budget(limit, left, datetime.fromtimestamp(int(headers[f"{prefix}-reset"]), UTC))
    except (KeyError, ValueError, OverflowError, OSError):
        return None
