"""Speaking to GitHub's REST API through PyGithub's requester: our limiter in front, ETags, every error translated.

PyGithub's own retries and pauses are off: a worker must never sleep for a host, the change is looked at later.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from github import Auth, Github

from bot.core.errors import HostBusy, HostError
from bot.hosts.calling import Answer, moved, next_page, odd, taken, told_budget
from bot.hosts.github import limiter
from bot.hosts.github.etags import ETags, Remembered
from bot.hosts.github.limiter import Limiter
from bot.hosts.github.translating import failure, translating
from bot.hosts.patience import Patience
from bot.ports import Budget

TIMEOUT: Final = 15
PER_PAGE: Final = 100

KINDS: Final = frozenset(
    {"user", "app", "installation", "access_tokens", "pulls", "reviews", "comments", "commits", "merge", "issues"}
    | {"status", "statuses", "check-runs", "collaborators", "permission", "activity", "deployments"}
    | {"branches", "protection", "hooks", "deliveries", "rules"}
)
"""Words of a path that say what kind of call it is."""

# At DEBUG PyGithub logs whole answers, and the answer to an App's sign-in is a token.
logging.getLogger("github").setLevel(logging.INFO)


class _Connection(threading.local):
    """One requester per thread and process: PyGithub keeps the request at hand on the shared connection."""

    pid = 0
    github: Github | None = None


class Client:
    """Calls as one account. Raises HostBusy, HostDenied, HostGone; on writes also HostUnclear."""

    def __init__(
        self,
        api_url: str,
        auth: Auth.Auth,
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = Patience(clock)
        self._api_url = api_url.rstrip("/")
        self._prefix = urlsplit(self._api_url).path
        self._auth = auth
        self._verify = verify
        self._connection = _Connection()
        self._etags = ETags()
        self._points = Limiter(limiter.POINTS, clock)
        self._content = Limiter(limiter.CONTENT, clock)
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._budget = Budget()
        self._version = ""
        self._limited = True

    @property
    def server_version(self) -> str:
        """Of a GitHub Enterprise Server, as it tells with every answer; empty for github.com, and before it did."""
        return self._version

    def budget(self) -> Budget:
        """What the host last said is left."""
        return self._budget

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls so far by (method, kind); answers that cost nothing have the method ``304``."""
        with self._lock:
            return dict(self._calls)

    # -------------------------------------------------------------------------------------------- reads

    def get(self, path: str) -> dict[str, Any]:
        """One object; unchanged ones come from memory and cost nothing."""
        data, _ = self._get(path)
        if not isinstance(data, dict):
            raise odd(path, "GitHub")
        return data

    def pages(self, path: str, key: str = "", *, remember: bool = True) -> Iterator[list[dict[str, Any]]]:
        """A list page by page, objects only. ``key`` is where GitHub wraps this list in an object; ``remember`` says
        whether asking again is to be free while nothing changed."""
        url = f"{path}{'&' if '?' in path else '?'}per_page={PER_PAGE}"
        while url:
            data, link = self._get(url, remember=remember)
            items = data.get(key) if key and isinstance(data, dict) else data
            if not isinstance(items, list):
                raise odd(path, "GitHub")
            yield [item for item in items if isinstance(item, dict)]
            following = next_page(link, self._prefix)
            url = following if following != url else ""

    def all(self, path: str, most: int, key: str = "") -> tuple[list[dict[str, Any]], bool]:
        """A list over its pages, at most ``most`` items; and whether it is whole."""
        return taken(self.pages(path, key), most)

    def _get(self, path: str, *, remember: bool = True) -> tuple[Any, str]:
        known = self._etags.get(path)
        answer = self.send("GET", path, headers={"If-None-Match": known.tag} if known else None)
        if answer.status == 304 and known is not None:
            return known.data, answer.headers.get("link", known.link)
        data, link, tag = answer.data, answer.headers.get("link", ""), answer.headers.get("etag", "")
        full = isinstance(data, list) and len(data) >= PER_PAGE and not next_page(link, self._prefix)
        if tag and remember and not full:
            self._etags.put(path, Remembered(tag, data, link, len(answer.text)))
        else:
            # A full last page looks the same when another page has come after it.
            self._etags.forget(path)
        return data, link

    # ------------------------------------------------------------------------------------------- writes

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None = None, *, content: bool = False) -> Any:
        """One write; the answer's JSON. ``content`` marks those that GitHub limits apart (comments)."""
        return self.send(verb, path, body, content=content).data

    def send(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bool = False,
        expect: tuple[int, ...] = (),
    ) -> Answer:
        """One call. Statuses of 400 and more are raised, but for those that are expected."""
        answer = self._exchange(verb, path, body, headers or {}, content)
        if isinstance(self._auth, Renewable) and self._auth.renew(answer.status, answer.said):
            # Nothing was done: whoever refuses a token looks no further.
            answer = self._exchange(verb, path, body, headers or {}, content)
        if answer.status >= 300 and answer.status != 304 and answer.status not in expect:
            raise self._raised(verb, path, answer)
        return answer

    def _exchange(
        self, verb: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str], content: bool
    ) -> Answer:
        """One call on the wire, whatever its status."""
        self._admit(verb, content)
        with self._patience.trying(), translating(verb):
            status, told, text = self._requester().requestJson(verb, path, headers=dict(headers), input=body)
        answer = Answer(status, {name.lower(): str(value) for name, value in told.items()}, str(text or ""))
        self._patience.answered(status)
        self._note(verb, path, answer)
        return answer

    def _admit(self, verb: str, content: bool) -> None:
        """Whether a call may be made now. Raises HostBusy."""
        self._patience.check()
        if not self._limited:
            return
        self._points.take(limiter.READ_POINTS if verb == "GET" else limiter.WRITE_POINTS)
        if content:
            self._content.take()

    def _raised(self, verb: str, path: str, answer: Answer) -> HostError:
        if answer.status < 400:
            return moved(verb, path, answer.status)
        error = failure(verb, path, answer.status, answer.headers, answer.text)
        if isinstance(error, HostBusy) and answer.status in (403, 429):
            self._patience.asked(error.retry_after)
        return error

    def _note(self, verb: str, path: str, answer: Answer) -> None:
        with self._lock:
            self._calls["304" if answer.status == 304 else verb, kind_of(path)] += 1
        self._budget = told_budget(answer.headers, "x-ratelimit") or self._budget
        # A server has limits only where its administrator sets some; then it tells of them as github.com does.
        self._version = answer.headers.get("x-github-enterprise-version", self._version)[:20]
        self._limited = not self._version or self._budget.limit is not None

    def _requester(self) -> Any:
        here = self._connection
        if here.github is None or here.pid != os.getpid():
            here.pid = os.getpid()
            here.github = Github(
                base_url=self._api_url,
                auth=self._auth,
                timeout=TIMEOUT,
                per_page=PER_PAGE,
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="headgate",
                verify=self._verify,
            )
        return here.github.requester


class Renewable(Auth.Auth):
    """A way to sign in whose token may be thrown away, because the host no longer takes it."""

    def renew(self, status: int, said: str) -> bool:  # noqa: ARG002 - for those that can
        """Whether the call that was answered so is worth another try, with another token than the one at hand."""
        return False


def kind_of(path: str) -> str:
    """What a call is about: the last telling word of its path."""
    parts = path.partition("?")[0].strip("/").split("/")
    rest = parts[3:] if parts[0] == "repos" else parts[2:] if parts[0] == "repositories" else parts
    return next((part for part in reversed(rest) if part in KINDS), "repository" if parts[0] == "repos" else "other")
