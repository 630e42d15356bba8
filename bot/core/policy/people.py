"""Who is who: whether somebody is among actors, and who could be."""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.policy.facts import People
from bot.core.policy.model import Actors


def among(people: People, login: str, actors: Actors) -> bool | None:
    """Whether somebody is one of them; None where a team or organisation that decides it could not be listed."""
    who = login.lower()
    if who in actors.users:
        return True
    if actors.permission is not None and people.permission_of(who) >= actors.permission:
        return True
    groups = [people.teams.get(team) for team in actors.teams]
    groups += [people.organisations.get(name) for name in actors.organisations]
    if any(group is not None and who in group for group in groups):
        return True
    return None if any(group is None for group in groups) else False


def unlisted(people: People, actors: Actors) -> tuple[str, ...]:
    """Teams and organisations whose members nobody knows; sorted."""
    teams = actors.teams - people.teams.keys()
    return tuple(sorted([*teams, *(actors.organisations - people.organisations.keys())]))


def known(people: People, actors: Actors) -> frozenset[str]:
    """Everybody known to be among them, in lower case."""
    found = set(actors.users)
    for team in actors.teams:
        found |= people.teams.get(team, frozenset())
    for name in actors.organisations:
        found |= people.organisations.get(name, frozenset())
    if actors.permission is not None:
        found |= {login for login, held in people.permissions.items() if held >= actors.permission}
    return frozenset(found)


def owners_known(people: People, owners: Iterable[str]) -> frozenset[str] | None:
    """Everybody who is one of these code owners; None where one of them is a team that could not be listed.

    What has a slash is a team; an e-mail address is nobody that a host would tell of.
    """
    found: set[str] = set()
    for owner in owners:
        if "/" in owner:
            members = people.teams.get(owner)
            if members is None:
                return None
            found |= members
        elif owner in people.teams:
            found |= people.teams[owner]
        elif "@" not in owner:
            found.add(owner)
    return frozenset(found)


def described(actors: Actors) -> tuple[str, ...]:
    """Actors as people read them: teams first, as those are whom one asks."""
    found = [f"@{team}" for team in sorted(actors.teams)]
    found += [f"a member of {name}" for name in sorted(actors.organisations)]
    found += sorted(actors.users)
    if actors.permission is not None:
        found.append(f"anybody with {actors.permission.name.lower()} permission")
    return tuple(found)
