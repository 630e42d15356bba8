"""Who may do what in a repository: as the server says it, and through teams, of which it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import Permission
from bot.hosts.fields import login, some
from bot.hosts.gitea.client import Client
from bot.hosts.gitea.parse import PERMISSIONS, permission
from bot.hosts.groups import MOST, Groups
from bot.hosts.remembering import Aging

MOST_PEOPLE: Final = 50
"""People of a repository who are asked about, one call each, to say who could approve."""
PERMISSION_SECONDS: Final = 300.0
PEOPLE_SECONDS: Final = 1800.0
CODE: Final = "repo.code"
"""The part of a repository that a change alters; a team may hold another right on each part."""


class People:
    """Asks about people, and remembers for a while. ``at`` is a repository's path in the API.

    Each raises HostBusy, HostDenied or HostGone, and only those.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._known = Aging(PERMISSION_SECONDS, clock)
        self._teams = Aging(PERMISSION_SECONDS, clock)
        self._listed = Aging(PEOPLE_SECONDS, clock)
        self.groups = Groups(self._group, login, clock)

    def permission(self, at: str, who: str) -> Permission:
        """Somebody's permission, asked once in five minutes; NONE for who is not there.

        Only an administrator of the repository may ask; without that nobody's word would count, so it is denied.
        """
        key = (at, who.lower())
        found: Permission | None = self._known.get(key)
        if found is None:
            found = self._asked(at, who)
            self._known.put(key, found)
        return found

    def _asked(self, at: str, who: str) -> Permission:
        """The server does not count a team that has a right of its own on each part of a repository."""
        try:
            found = permission(self._client.get(f"{at}/collaborators/{quote(who, safe='')}/permission"))
        except HostGone:
            return Permission.NONE
        for team in self.teams(at) if found < Permission.WRITE else ():
            held = on_code(team)
            if held > found and self._member(team, who):
                found = held
        return found

    def _member(self, team: Mapping[str, Any], who: str) -> bool:
        """Whether somebody is in a team; unknown is no. Owners of the organisation and its members may ask."""
        try:
            self._client.get(f"/teams/{int(team.get('id') or 0)}/members/{quote(who, safe='')}")
        except (HostGone, HostDenied):
            return False
        return True

    def teams(self, at: str) -> Sequence[Mapping[str, Any]]:
        """The teams of a repository whose rights differ from part to part; none where a person owns it."""
        found: Sequence[Mapping[str, Any]] | None = self._teams.get((at,))
        if found is None:
            try:
                found = [each for each in self._client.whole(f"{at}/teams") if each.get("permission") == "none"]
            except (HostGone, HostDenied):
                found = []
            self._teams.put((at,), found)
        return found

    def unseen_teams(self, at: str) -> tuple[str, ...]:
        """Names of those teams that may write, and whose members our account may not see."""
        return tuple(str(each.get("name")) for each in self.teams(at) if on_code(each) >= Permission.WRITE
                     and not self._sees(each))  # fmt: skip

    def _sees(self, team: Mapping[str, Any]) -> bool:
        try:
            self._client.send("GET", f"/teams/{int(team.get('id') or 0)}/members?page=1&limit=1")
        except (HostGone, HostDenied):
            return False
        return True

    def _group(self, group: str) -> tuple[list[dict[str, Any]], bool]:
        """A team is known by its number, which its organisation's list tells."""
        organisation, _, team = group.partition("/")
        at = f"/orgs/{quote(organisation)}"
        if not team:
            return self._client.all(f"{at}/members", MOST)
        listed, _ = self._client.all(f"{at}/teams", MOST)
        number = next((each.get("id") for each in listed if str(each.get("name")).lower() == team.lower()), None)
        if not isinstance(number, int):
            raise HostGone(f"no team {team}")
        return self._client.all(f"/teams/{number}/members", MOST)

    def writers(self, at: str) -> Mapping[str, Permission]:
        """Who may write there, asked once in half an hour; empty when our account may not ask.

        The list of those whom work may be given to has them all, and some who may only read.
        """
        found: Mapping[str, Permission] | None = self._listed.get((at,))
        if found is None:
            try:
                found = self._all(at, [login(each) for each in self._client.whole(f"{at}/assignees")])
            except (HostDenied, HostGone):
                found = {}
            self._listed.put((at,), found)
        return found

    def _all(self, at: str, logins: Sequence[str]) -> Mapping[str, Permission]:
        asked = {each.lower(): self.permission(at, each) for each in logins[:MOST_PEOPLE] if each}
        return {who: held for who, held in asked.items() if held >= Permission.WRITE}


def on_code(team: Mapping[str, Any]) -> Permission:
    """What a team may do with the code."""
    return PERMISSIONS.get(str(some(team.get("units_map")).get(CODE)), Permission.NONE)
