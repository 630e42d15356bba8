"""Speaking to the REST API: one bounded exchange at a time, every error translated.

No redirection leaves the server, no answer is read without an end, and nobody sleeps here: what cannot be done now
is looked at later.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from bot.hosts.answers import bounded
from bot.hosts.calling import Answer, Calling, odd, taken
from bot.hosts.signing import Secret

TIMEOUT: Final = (5.0, 20.0)
"""Seconds to connect, and between two bytes."""
PER_PAGE: Final = 50
"""The most that a server gives as it is shipped: MAX_RESPONSE_ITEMS in https://docs.gitea.com/administration/config-cheat-sheet"""
MOST_PAGES: Final = 1000
REDIRECTIONS: Final = 3

KINDS: Final = frozenset(
    {"user", "pulls", "reviews", "comments", "commits", "merge", "issues", "status", "statuses", "collaborators"}
    | {"permission", "assignees", "feeds", "branches", "branch_protections", "hooks", "pull", "version"}
)
"""Words of a path that say what kind of call it is."""


class _Token(AuthBase):
    """Signs each request; being set, it keeps a ``.netrc`` from putting another account in its place."""

    def __init__(self, supply: Callable[[], str]) -> None:
        self._supply = supply

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """https://docs.gitea.com/development/api-usage#authentication"""
        request.headers["Authorization"] = f"token {self._supply()}"
        return request


class _Session(requests.Session):
    """A session that leaves redirections to us.

    Told not to follow one, it would all the same read the whole body and take the address apart, whatever it is.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' signature
        """None: there is nowhere to go."""
        return None


class _Connection(threading.local):
    """One session per thread and process."""

    pid = 0
    session: requests.Session | None = None


class Client(Calling):
    """Calls to one server; a limit of calls is that of a proxy in front of it."""

    who = "the server"

    def __init__(
        self,
        url: str,
        token: Secret | None,
        verify: bool | str = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(token, clock)
        self._api_url = f"{url}/api/v1"
        self._verify = verify
        self._connection = _Connection()

    # -------------------------------------------------------------------------------------------- reads

    def pages(self, path: str, key: str = "") -> Iterator[list[dict[str, Any]]]:
        """A list page by page, objects only. ``key`` is where this list is wrapped in an object.

        Some lists come with links, others only with their length; and who may not see an item gets shorter pages.
        """
        seen, mark = 0, "&" if "?" in path else "?"
        for number in range(1, MOST_PAGES + 1):
            answer = self.send("GET", f"{path}{mark}page={number}&limit={PER_PAGE}")
            items = _items(path, answer.data, key)
            yield items
            seen += len(items)
            if not _more(answer, seen, number, empty=not items):
                return

    def all(self, path: str, most: int, key: str = "") -> tuple[list[dict[str, Any]], bool]:
        """A list over its pages, at most ``most`` items; and whether it is whole."""
        return taken(self.pages(path, key), most)

    def whole(self, path: str) -> list[dict[str, Any]]:
        """A list that the server does not cut into pages."""
        return _items(path, self.send("GET", path).data, "")

    # ------------------------------------------------------------------------------------- on the wire

    def _kind(self, path: str) -> str:
        return kind_of(path)

    def _exchange(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        """The answer; a read is sent after its object to a new name on this server, and nowhere else."""
        url = f"{self._api_url}{path}"
        for _ in range(REDIRECTIONS + 1):
            answer = self._once(verb, url, body)
            following = _joined(url, answer.headers.get("location", ""))
            moved = answer.status in (301, 302, 307, 308) and verb == "GET"
            if not moved or following == url or not following.startswith(f"{self._api_url}/"):
                break
            url = following
        return answer

    def _once(self, verb: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        response = self._session().request(
            verb, url, json=body, timeout=TIMEOUT, stream=True, allow_redirects=False, auth=_Token(self.token),
            headers={"Accept": "application/json", "User-Agent": "headgate"}, verify=self._verify,
        )  # fmt: skip
        with response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, bounded(response))

    def _session(self) -> requests.Session:
        here = self._connection
        if here.session is None or here.pid != os.getpid():
            here.pid, here.session = os.getpid(), _Session()
        return here.session


def _joined(url: str, location: str) -> str:
    """Where a redirection leads; the address it came from when it leads nowhere."""
    try:
        return urljoin(url, location)
    except ValueError:
        return url


def _items(path: str, data: Any, key: str) -> list[dict[str, Any]]:
    """The objects of a list; null is how the server says that it is empty."""
    items = data.get(key) if key and isinstance(data, dict) else data
    if items is not None and not isinstance(items, list):
        raise odd(path, "the server")
    return [item for item in items or () if isinstance(item, dict)]


def _more(answer: Answer, seen: int, number: int, *, empty: bool) -> bool:
    """Whether another page is to be asked for."""
    total = answer.headers.get("x-total-count", "")
    if "link" in answer.headers:
        return 'rel="next"' in answer.headers["link"]
    if not total.isascii() or not total.isdecimal():
        return False
    return seen < int(total) and not (empty and number * PER_PAGE >= int(total))


def kind_of(path: str) -> str:
    """What a call is about: the last telling word of its path."""
    parts = urlsplit(path).path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "repos" else parts
    return next((part for part in reversed(rest) if part in KINDS), "repository" if parts[0] == "repos" else "other")
