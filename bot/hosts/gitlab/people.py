"""Who is who in a project: members by whatever way they came, and the accounts behind a commit's addresses."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.core.model import Permission
from bot.hosts.fields import some
from bot.hosts.gitlab import parse
from bot.hosts.gitlab.client import Client
from bot.hosts.groups import Groups
from bot.hosts.remembering import Aging

MOST: Final = 5000
PEOPLE_SECONDS: Final = 300.0
ADDRESS_SECONDS: Final = 3600.0
MOST_LOOKUPS: Final = 20
"""Addresses looked up one by one for one change."""

AUTHORS: Final = (
    "query($path: ID!, $iid: String!) { project(fullPath: $path) { mergeRequest(iid: $iid) {"
    " commits(last: 100) { nodes { authorEmail author { username } } } } } }"
)
"""Only GraphQL tells whose a commit's address is, also where that is private.
https://docs.gitlab.com/api/graphql/reference/#commit"""


class People:
    """Asks with the account's client. Each raises HostBusy, HostDenied or HostGone."""

    def __init__(self, client: Client, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._members = Aging(PEOPLE_SECONDS, clock)
        self._single = Aging(PEOPLE_SECONDS, clock)
        self.groups = Groups(self._group, _active, clock)
        self._accounts = Aging(ADDRESS_SECONDS, clock)
        # https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email
        host = re.escape(urlsplit(url).hostname or "")
        self._private = re.compile(rf"\d+-([a-z0-9_][a-z0-9_.-]*)@users\.noreply\.{host}")

    # ---------------------------------------------------------------------------------------- permissions

    def members(self, at: str) -> Mapping[str, Permission]:
        """Everybody with a role, also by groups, subgroups and invitations (lower-cased login); asked once in five
        minutes; empty when our account may not look."""
        known: dict[str, Permission] | None = self._members.get((at,))
        if known is not None:
            return known
        try:
            listed, _ = self._client.all(f"{at}/members/all", MOST)
        except (HostDenied, HostGone):
            listed = []
        found: dict[str, Permission] = {}
        for each in listed:
            # Somebody may be listed once for each way in; the widest counts.
            login = parse.username(each).lower()
            found[login] = max(parse.permission(each), found.get(login, Permission.NONE))
        found.pop("", None)
        self._members.put((at,), found)
        return found

    def permission(self, at: str, login: str) -> Permission:
        """Somebody's permission; who is not listed is asked about, because the list misses chains of invitations
        (https://gitlab.com/gitlab-org/gitlab/-/issues/337623)."""
        listed = self.members(at).get(login.lower())
        if listed is not None:
            return listed
        known: Permission | None = self._single.get((at, login.lower()))
        if known is None:
            known = self._asked(at, login)
            self._single.put((at, login.lower()), known)
        return known

    def _asked(self, at: str, login: str) -> Permission:
        try:
            found, _ = self._client.all(f"/users?{urlencode({'username': login})}", 10)
            number = next((each.get("id") for each in found if parse.username(each).lower() == login.lower()), None)
            if not isinstance(number, int):
                return Permission.NONE
            return parse.permission(self._client.get(f"{at}/members/all/{number}"))
        except HostGone:
            return Permission.NONE

    def _group(self, group: str) -> tuple[list[dict[str, Any]], bool]:
        """https://docs.gitlab.com/api/members/#list-all-group-members-including-inherited-and-invited-members"""
        return self._client.all(f"/groups/{quote(group, safe='')}/members/all", MOST)

    # ------------------------------------------------------------------------------------------- accounts

    def logins(self, path: str, number: int, addresses: Collection[str]) -> Mapping[str, str]:
        """The accounts of commits' addresses; empty for those that are nobody's as far as the host tells."""
        found = {each: self._known(each) for each in addresses if each}
        if any(login is None for login in found.values()):
            for address, login in self._authors(path, number).items():
                self._accounts.put((address,), login)
            found = {each: self._known(each) for each in found}
        for address in [each for each, login in found.items() if login is None][:MOST_LOOKUPS]:
            found[address] = self._searched(address)
            self._accounts.put((address,), found[address])
        return {address: login or "" for address, login in found.items()}

    def _known(self, address: str) -> str | None:
        own = self._private.fullmatch(address)
        return own[1] if own else self._accounts.get((address,))

    def _authors(self, path: str, number: int) -> Mapping[str, str]:
        """The commits' authors as GitLab matched them; nothing where it has no GraphQL for us."""
        try:
            words = {"query": AUTHORS, "variables": {"path": path, "iid": str(number)}}
            data: Any = self._client.send("POST", "/graphql", words).data
        except (HostDenied, HostGone):
            return {}
        except HostUnclear as error:
            # A query changes nothing.
            raise HostBusy(str(error), 10.0) from None
        for name in ("data", "project", "mergeRequest", "commits"):
            data = some(data).get(name)
        nodes = some(data).get("nodes")
        return {
            str(some(each).get("authorEmail") or "").strip().lower(): parse.username(some(each).get("author"))
            for each in (nodes if isinstance(nodes, list) else ())
            if parse.username(some(each).get("author"))
        }

    def _searched(self, address: str) -> str:
        """By the address that somebody shows, or, for administrators, by any."""
        try:
            found, _ = self._client.all(f"/users?{urlencode({'search': address})}", 10)
        except (HostDenied, HostGone):
            return ""
        return parse.username(found[0]) if len(found) == 1 else ""


def _active(member: Mapping[str, Any]) -> str:
    """A member's name; nothing for one who is blocked or only invited."""
    return parse.username(member) if parse.permission(member) > Permission.NONE else ""
