"""Speaking to GitLab's REST API through python-gitlab's requester: one bounded exchange, every error translated.

Its own retries and pauses are off: a worker must never sleep for a host, the change is looked at later.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import gitlab
import requests
from gitlab.exceptions import GitlabError, RedirectError
from requests.auth import AuthBase

from bot.hosts.answers import bounded
from bot.hosts.calling import Answer, Calling, next_page, odd, taken, told_budget
from bot.hosts.signing import Secret
from bot.ports import Budget

TIMEOUT: Final = 20.0
PER_PAGE: Final = 100

KINDS: Final = frozenset(
    {"user", "users", "members", "merge_requests", "approvals", "reviewers", "notes", "commits", "statuses", "events"}
    | {"pipelines", "merge", "deployments", "hooks", "protected_branches", "graphql"}
)
"""Words of a path that say what kind of call it is."""


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


class Client(Calling):
    """Calls to one GitLab."""

    who = "GitLab"

    def __init__(
        self,
        url: str,
        token: Secret | None,
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(token, clock)
        self._url = url
        self._verify = verify
        self._connection = _Connection()
        self._budget = Budget()

    def budget(self) -> Budget:
        """What the host last said is left."""
        return self._budget

    # -------------------------------------------------------------------------------------------- reads

    def pages(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """A list page by page, objects only."""
        url = f"{path}{'&' if '?' in path else '?'}per_page={PER_PAGE}"
        while url:
            answer = self.send("GET", url)
            items = answer.data
            if not isinstance(items, list):
                raise odd(path, self.who)
            yield [item for item in items if isinstance(item, dict)]
            following = next_page(answer.headers.get("link", ""), "/api/v4")
            url = following if following != url else ""

    def all(self, path: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        """A list over its pages, at most ``most`` items; and whether it is whole."""
        return taken(self.pages(path), most)

    # ------------------------------------------------------------------------------------- on the wire

    def _kind(self, path: str) -> str:
        return kind_of(path)

    def _exchange(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        answer = self._once(verb, path, body)
        # https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
        self._budget = told_budget(answer.headers, "ratelimit") or self._budget
        return answer

    def _once(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Answer:
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


def kind_of(path: str) -> str:
    """What a call is about: the last telling word of its path."""
    parts = path.partition("?")[0].strip("/").split("/")
    found = next((part for part in reversed(parts) if part in KINDS), "")
    return found or ("project" if parts[0] == "projects" else "other")
