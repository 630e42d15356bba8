"""What policies compare with, read only where a rule is in force: files, commits, members of teams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.core.errors import TooLarge
from bot.core.policy.compose import asked_groups, wants_owners
from bot.core.policy.facts import FileFact
from bot.core.policy.ground import Ground
from bot.core.policy.owners import PLACES, Owners, parse_owners
from bot.core.snapshot import Snapshot
from bot.ports import Host, Mirror

LONGEST_OWNERS = 1_000_000
"""Bytes of a file of code owners that are read."""


def grounded(host: Host, mirror: Mirror, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the ground of its change's rules; as it is where there are none. Raises HostBusy."""
    policies, selection = snapshot.rules.policies, snapshot.selection
    if not policies:
        return replace(snapshot, ground=Ground())
    if not snapshot.fresh or snapshot.memory.merge is not None:
        return snapshot
    teams, organisations = asked_groups(policies)
    owners = _owners(mirror, selection.base) if wants_owners(policies) else None
    if owners is not None:
        named = {owner for section in owners.sections for entry in section.entries for owner in entry.owners}
        teams |= {owner for owner in named if "/" in owner}
    ground = Ground(
        files=_files(mirror, selection.base, selection.commit),
        commits=mirror.commits([each.sha for each in snapshot.host.commits]),
        teams=_listed(host, teams),
        organisations=_listed(host, organisations),
        owners=owners,
    )
    return replace(snapshot, ground=ground)


def _listed(host: Host, groups: Iterable[str]) -> dict[str, frozenset[str]]:
    found = {group: host.members(group) for group in sorted(groups)}
    return {group: members for group, members in found.items() if members is not None}


def _files(mirror: Mirror, base: str, commit: str) -> tuple[FileFact, ...] | None:
    """Nothing where it does not merge: then there is nothing to judge either."""
    if not commit:
        return ()
    try:
        return mirror.changed_files(base, commit)
    except TooLarge:
        return None


def _owners(mirror: Mirror, base: str) -> Owners | None:
    """The first file of them, where hosts look."""
    source = mirror.source(base)
    for place in PLACES:
        text = source.read(place)
        if text is not None:
            return parse_owners(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, place)
    return None
