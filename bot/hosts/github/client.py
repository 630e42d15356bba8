"""Speaking to GitHub's REST API through PyGithub's requester: our limiter in front, ETags, every error translated.

PyGithub's own retries and pauses are off: a worker must never sleep for a host, the change is looked at later.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import requests
from github import Auth, Github, GithubException

from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, HostUnclear
from bot.ports import Budget

TIMEOUT: Final = 15
REMEMBERED: Final = 2000
WRITES: Final = ((60.0, 70), (3600.0, 450))
"""(seconds, content-creating calls): a little below GitHub's 80 a minute and 500 an hour.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""


class Limiter:
    """Counts content-creating calls; raises instead of sleeping."""

    def __init__(self, windows: tuple[tuple[float, int], ...] = WRITES) -> None:
        self._windows = windows
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> None:
        """One more call. Raises HostBusy when a window is full."""
        now = time.monotonic()
        with self._lock:
            while self._times and now - self._times[0] > self._windows[-1][0]:
                self._times.popleft()
            for seconds, most in self._windows:
                recent = [at for at in self._times if now - at < seconds]
                if len(recent) >= most:
                    raise HostBusy("our own limit of writes is reached", seconds - (now - recent[0]) + 1)
            self._times.append(now)


class Client:
    """Calls as one account. Raises HostBusy, HostDenied, HostGone; on writes also HostUnclear."""

    def __init__(self, api_url: str, auth: Callable[[], Auth.Auth]) -> None:
        self._api_url = api_url.rstrip("/")
        self._auth = auth
        self._github: Github | None = None
        self._lock = threading.Lock()
        self._etags: OrderedDict[str, tuple[str, object, str]] = OrderedDict()
        self._limiter = Limiter()
        self.calls: Counter[str] = Counter()
        self._budget = Budget()
        self._silent_until = 0.0

    def budget(self) -> Budget:
        """What the host last said is left."""
        return self._budget

    # -------------------------------------------------------------------------------------------- calls

    def get(self, path: str) -> Any:
        """One GET; unchanged answers come from memory and cost nothing."""
        return self._get(path)[0]

    def pages(self, path: str, most: int) -> tuple[list[Any], bool]:
        """A list over its pages, at most ``most`` items; and whether it is whole."""
        found: list[Any] = []
        separator = "&" if "?" in path else "?"
        url = f"{path}{separator}per_page=100"
        while url:
            data, links = self._get(url)
            items = data if isinstance(data, list) else next((v for v in data.values() if isinstance(v, list)), [])
            found.extend(items)
            url = self._next(links)
            if len(found) >= most and url:
                return found[:most], False
        return found, True

    def _next(self, links: str) -> str:
        for part in links.split(","):
            target, _, rest = part.partition(";")
            if 'rel="next"' in rest:
                return target.strip().strip("<>").removeprefix(self._api_url)
        return ""

    def _get(self, path: str) -> tuple[Any, str]:
        with self._lock:
            etag, body, links = self._etags.get(path, ("", None, ""))
        headers = {"If-None-Match": etag} if etag else {}
        status, answer, data = self._send("GET", path, None, headers)
        if status == 304:
            self.calls["304"] += 1
            return body, links
        self.calls["GET"] += 1
        links = answer.get("link", "")
        if answer.get("etag"):
            with self._lock:
                self._etags[path] = (answer["etag"], data, links)
                self._etags.move_to_end(path)
                while len(self._etags) > REMEMBERED:
                    self._etags.popitem(last=False)
        return data, links

    def write(self, verb: str, path: str, body: object = None, *, content: bool = False) -> Any:
        """One write. ``content`` marks those that GitHub limits apart (comments)."""
        if content:
            self._limiter.take()
        self.calls[verb] += 1
        return self._send(verb, path, body, {})[2]

    def _send(
        self, verb: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], Any]:
        silent = self._silent_until - time.monotonic()
        if silent > 0:
            raise HostBusy("the host asked us to wait", silent)
        writing = verb != "GET"
        try:
            status, answer, text = self._requester().requestJson(verb, path, headers=dict(headers), input=body)
        except (requests.RequestException, OSError) as error:
            if writing:
                raise HostUnclear(f"{verb}: the connection was lost ({type(error).__name__})") from None
            raise HostBusy(f"the host cannot be reached ({type(error).__name__})", 10.0) from None
        except GithubException as error:
            status, answer, text = error.status, error.headers or {}, json.dumps(error.data)
        known = {name.lower(): value for name, value in answer.items()}
        self._note_budget(known)
        if status >= 400:
            raise self._error(verb, path, status, known, text)
        return status, known, _parsed(text)

    def _requester(self) -> Any:
        with self._lock:
            if self._github is None:
                self._github = Github(
                    base_url=self._api_url,
                    auth=self._auth(),
                    timeout=TIMEOUT,
                    retry=None,
                    seconds_between_requests=None,
                    seconds_between_writes=None,
                    user_agent="headgate",
                )
            return self._github.requester

    def _note_budget(self, headers: Mapping[str, str]) -> None:
        try:
            limit, left = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            resets = datetime.fromtimestamp(int(headers["x-ratelimit-reset"]), UTC)
        except (KeyError, ValueError):
            return
        self._budget = Budget(limit, left, resets)

    def _error(self, verb: str, path: str, status: int, headers: Mapping[str, str], text: str) -> HostError:
        """What the caller should do about an answer of 400 or more; the path is told, never a token."""
        data = _parsed(text)
        said = str(data.get("message", ""))[:200] if isinstance(data, dict) else ""
        what = f"{verb} {path.partition('?')[0]}: {status} {said}".strip()
        wait = self._wait(status, headers, said)
        if wait is not None:
            self._silent_until = time.monotonic() + wait
            return HostBusy(what, wait)
        if status in (404, 410):
            return HostGone(what)
        if status >= 500:
            return HostUnclear(what) if verb != "GET" else HostBusy(what, 10.0)
        return HostDenied(what)

    def _wait(self, status: int, headers: Mapping[str, str], said: str) -> float | None:
        """Seconds to stay silent after a primary or secondary limit; None when it is no limit."""
        if status not in (403, 429):
            return None
        after = headers.get("retry-after", "")
        if after.isdecimal():
            return min(float(after), 3600.0)
        if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
            return min(max(float(headers["x-ratelimit-reset"]) - time.time(), 1.0), 3600.0)
        if status == 429 or "secondary rate limit" in said.lower() or "abuse" in said.lower():
            return 60.0
        return None

    def forget(self, path: str) -> None:
        """Drop what is remembered of a path, after a write that changed it."""
        with self._lock:
            for known in [each for each in self._etags if each.startswith(path)]:
                del self._etags[known]


def _parsed(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def iterate(items: list[Any]) -> Iterator[dict[str, Any]]:
    """Only the objects of a list: whatever else a host may put there is passed over."""
    return (item for item in items if isinstance(item, dict))
