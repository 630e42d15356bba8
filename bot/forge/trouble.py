"""A host that can be made to misbehave on purpose, and that remembers every request it got."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from flask import Response

_LOG_LIMIT = 100_000
_READS_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered."""

    method: str
    path: str
    query: str
    status: int
    login: str | None
    kind: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Blow:
    """A planned failure: the status to answer with, and the headers that go with it."""

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)


class Trouble:
    """Knobs for tests; thread-safe. All off by default."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blows: list[tuple[Blow, str]] = []
        self._log: list[Request] = []
        self.latency_s = 0.0
        self.null_mergeable_reads = 0
        self.rate_limit = 5000
        self.lose_deliveries = 0
        self.repeat_deliveries = 0
        self.lose_answers = 0
        self.cut_answers = 0
        self.stale_reads = 0
        self._seen: OrderedDict[tuple[str, str], tuple[bytes, int, list[tuple[str, str]]]] = OrderedDict()
        self._used: dict[str, tuple[int, int]] = {}

    def fail_next(self, times: int = 1, status: int = 502, path_contains: str = "") -> None:
        """Answer the next requests (whose path contains a word) with a server error and do nothing."""
        self._plan(Blow(status, "Server Error"), times, path_contains)

    def limit_next(
        self, times: int = 1, status: int = 403, retry_after_s: int | None = 1, path_contains: str = ""
    ) -> None:
        """Answer the next requests with a secondary rate limit (403 or 429), with or without Retry-After."""
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else {}
        self._plan(Blow(status, message, headers), times, path_contains)

    def _plan(self, blow: Blow, times: int, path_contains: str) -> None:
        with self._lock:
            self._blows += [(blow, path_contains)] * times

    def next_blow(self, path: str) -> Blow | None:
        """The failure planned for a request, taken from the plan."""
        with self._lock:
            for at, (blow, word) in enumerate(self._blows):
                if word in path:
                    del self._blows[at]
                    return blow
        return None

    def take(self, knob: str) -> bool:
        """Count one of the number knobs down; true when it was above zero."""
        with self._lock:
            left = int(getattr(self, knob))
            if left > 0:
                setattr(self, knob, left - 1)
            return left > 0

    def calm(self) -> None:
        """Turn everything off."""
        with self._lock:
            self._blows.clear()
            self.latency_s = 0.0
            self.null_mergeable_reads = self.lose_deliveries = self.repeat_deliveries = self.lose_answers = 0
            self.cut_answers = self.stale_reads = 0
            self.rate_limit = 5000

    def remember(self, seen_as: str, path: str, answer: Response) -> None:
        """Keep what somebody read, so that it can be served stale later."""
        with self._lock:
            self._seen[seen_as, path] = (answer.get_data(), answer.status_code, list(answer.headers))
            self._seen.move_to_end((seen_as, path))
            while len(self._seen) > _READS_KEPT:
                self._seen.popitem(last=False)

    def stale(self, seen_as: str, path: str) -> Response | None:
        """An older answer to the same read, when stale reads are due and there is one."""
        with self._lock:
            kept = self._seen.get((seen_as, path))
            if kept is None or self.stale_reads <= 0:
                return None
            self.stale_reads -= 1
        data, status, headers = kept
        return Response(data, status, headers)

    def spend(self, login: str, window: int = 0) -> tuple[int, int]:
        """Count one request against somebody's limit, which each window has anew: (used, limit)."""
        with self._lock:
            last, used = self._used.get(login, (window, 0))
            used = used + 1 if last == window else 1
            self._used[login] = (window, used)
            return used, self.rate_limit

    def give_back(self, login: str) -> int:
        """A 304 costs nothing: take one request back and give what is used."""
        with self._lock:
            window, used = self._used.get(login, (0, 0))
            self._used[login] = (window, max(0, used - 1))
            return self._used[login][1]

    def used(self, login: str) -> int:
        """Requests counted against somebody's limit in the last window that saw one."""
        with self._lock:
            return self._used.get(login, (0, 0))[1]

    def note(self, request: Request) -> None:
        """Remember a request; the oldest are forgotten."""
        with self._lock:
            self._log.append(request)
            del self._log[:-_LOG_LIMIT]

    def requests(self, kind: str = "api") -> list[Request]:
        """The requests so far, oldest first; ``kind`` is ``api``, ``git`` or ``page``."""
        with self._lock:
            return [request for request in self._log if request.kind == kind]

    def forget_requests(self) -> None:
        """Start the log of requests anew."""
        with self._lock:
            self._log.clear()
