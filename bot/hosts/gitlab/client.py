"""Speaking to GitLab's REST API through python-gitlab's requester: one bounded exchange, every error translated.

Its own retries and pauses are off: a worker must never sleep for a host, the change is looked at later.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import gitlab
import requests
from gitlab.exceptions import GitlabError, RedirectError
from requests.auth import AuthBase

from bot.core.errors import HostBusy, HostDenied, HostError
from bot.hosts.answers import bounded, failure, parsed, reaching, retry_after, words
from bot.hosts.signing import Secret
from bot.ports import Budget

TIMEOUT: Final = 20.0
PER_PAGE: Final = 100
LIMITED_WAIT: Final = 60.0
"""Seconds of silence after a 429 that names none: GitLab's limits are counted by the minute."""

KINDS: Final = frozenset(
    {"user", "users", "members", "merge_requests", "approvals", "reviewers", "notes", "commits", "statuses", "events"}
    | {"pipelines", "merge", "deployments", "hooks", "protected_branches", "graphql"}
)
"""Words of a path that say what kind of call it is."""


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
        """The server's own words about what is wrong."""
        return words(self.text)


class _Token(AuthBase):
    """Signs each request as the token is at that moment; a redirection to another server does not get it."""

    def __init__(self, supply: Callable[[], str]) -> None:
        self._supply = supply

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """https://docs.gitlab.com/api/rest/authentication/#personalprojectgroup-access-tokens"""
        request.headers["Authorization"] = f"Bearer {self._supply()}"
        return request


class _Connection(threading.local):
    """One python-gitlab client per thread and process, and the headers of the last answer: its errors have none."""

    pid = 0
    gitlab: Any = None
    headers: Mapping[str, str] = {}

    def note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Called with every response."""
        self.headers = {name.lower(): value for name, value in response.headers.items()}


class Client:
    """Calls as one account. Raises HostBusy, HostDenied, HostGone; on writes also HostUnclear."""

    def __init__(self, url: str, token: Secret | None, verify: bool | str = True) -> None:
        self._url = url
        self._supply = token
        self._verify = verify
        self._connection = _Connection()
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._budget = Budget()
        self._silent_until = 0.0

    def budget(self) -> Budget:
        """What the host last said is left."""
        return self._budget

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

    # -------------------------------------------------------------------------------------------- reads

    def get(self, path: str) -> dict[str, Any]:
        """One object."""
        data = self.send("GET", path).data
        if not isinstance(data, dict):
            raise _odd(path)
        return data

    def pages(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """A list page by page, objects only."""
        url = f"{path}{'&' if '?' in path else '?'}per_page={PER_PAGE}"
        while url:
            answer = self.send("GET", url)
            items = answer.data
            if not isinstance(items, list):
                raise _odd(path)
            yield [item for item in items if isinstance(item, dict)]
            following = _next(answer.headers.get("link", ""))
            url = following if following != url else ""

    def all(self, path: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        """A list over its pages, at most ``most`` items; and whether it is whole."""
        found: list[dict[str, Any]] = []
        for page in self.pages(path):
            found.extend(page)
            if len(found) > most:
                return found[:most], False
        return found, True

    # ------------------------------------------------------------------------------------------- writes

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One write; the answer's JSON."""
        return self.send(verb, path, body).data

    def send(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, *, expect: tuple[int, ...] = ()
    ) -> Answer:
        """One call. Statuses of 400 and more are raised, but for those that are expected."""
        silent = self._silent_until - time.monotonic()
        if silent > 0:
            raise HostBusy("the host asked us to wait", silent)
        with self._lock:
            self._calls[verb, kind_of(path)] += 1
        with reaching(verb):
            answer = self._exchange(verb, path, body)
        self._note(answer.headers)
        if answer.status >= 300 and answer.status not in expect:
            raise self._raised(verb, path, answer)
        return answer

    def _exchange(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        client = self._client()
        where = f"{self._url}/api{path}" if path == "/graphql" else path
        try:
            response = client.http_request(
                verb, where, post_data=dict(body or {}) if verb != "GET" else None, streamed=True,
                obey_rate_limit=False, retry_transient_errors=False, max_retries=0,
            )  # fmt: skip
        except RedirectError:
            return Answer(301, self._connection.headers, "")
        except GitlabError as error:
            raw = error.response_body or b""
            return Answer(error.response_code or 500, self._connection.headers, raw.decode("utf-8", "replace"))
        with response:
            return Answer(response.status_code, self._connection.headers, bounded(response))

    def _raised(self, verb: str, path: str, answer: Answer) -> HostError:
        if answer.status < 400:
            return HostDenied(f"{verb} {path.partition('?')[0]}: {answer.status}: moved; set its present address")
        wait = (retry_after(answer.headers) or LIMITED_WAIT) if answer.status == 429 else None
        if wait is not None:
            self._silent_until = time.monotonic() + wait
        return failure(verb, path, answer.status, answer.headers, answer.text, wait)

    def _note(self, headers: Mapping[str, str]) -> None:
        """https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers"""
        try:
            limit, left = int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])
            resets = datetime.fromtimestamp(int(headers["ratelimit-reset"]), UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return
        self._budget = Budget(limit, left, resets)

    def _client(self) -> Any:
        here = self._connection
        if here.gitlab is None or here.pid != os.getpid():
            session = requests.Session()
            session.auth = _Token(self.token)
            session.max_redirects = 3
            session.hooks["response"].append(here.note)
            here.pid = os.getpid()
            here.gitlab = gitlab.Gitlab(
                self._url, session=session, timeout=TIMEOUT, ssl_verify=self._verify, user_agent="headgate",
                keep_base_url=True,
            )  # fmt: skip
        return here.gitlab


def _next(link: str) -> str:
    """The path of the next page. Only path and query are taken: the address stays the configured one."""
    for part in link.split(","):
        target, _, rest = part.partition(";")
        if 'rel="next"' in rest:
            url = urlsplit(target.strip().strip("<>"))
            return f"/{url.path.partition('/api/v4/')[2]}?{url.query}"
    return ""


def _odd(path: str) -> HostBusy:
    return HostBusy(f"GET {path.partition('?')[0]}: the answer is not what GitLab documents", 30.0)


def kind_of(path: str) -> str:
    """What a call is about: the last telling word of its path."""
    parts = path.partition("?")[0].strip("/").split("/")
    found = next((part for part in reversed(parts) if part in KINDS), "")
    return found or ("project" if parts[0] == "projects" else "other")
