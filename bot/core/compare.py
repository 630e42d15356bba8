"""Matching effect sets: is what would happen now what was reviewed? (P2, law 7)

Two sets match when they are equal, except: values unknown in the reviewed set that a producer deployed in the same
change has made known, and paths declared volatile. Neither excuse ever holds for a delete or a replacement.
"""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.core.effectset import Action, EffectSet, Leaf, OutputEffect, ResourceEffect, ValueKind

Key = tuple[str, str]


class DifferenceKind(enum.Enum):
    ADDED = "added"
    """Would happen now and was not reviewed."""
    VANISHED = "vanished"
    """Was reviewed and would not happen now."""
    CHANGED = "changed"
    """Happens to the same thing, but not the same way."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as reviewed; either side is None when it is not there. Outputs appear by address
    ``output.NAME`` with their values as a single leaf."""

    kind: DifferenceKind
    address: str
    reviewed: ResourceEffect | None
    now: ResourceEffect | None


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome of a comparison; ``equal`` when nothing differs that matters."""

    differences: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.differences


def match(reviewed: EffectSet, now: EffectSet, *, volatile: tuple[str, ...] = (), made_known: bool = False) -> Match:
    """Compare. ``volatile`` are ``ADDRESS-GLOB:PATH-GLOB``; ``made_known`` says that a producer was deployed."""
    found = list(_pairs(reviewed, now, volatile=volatile, made_known=made_known))
    if reviewed.format != now.format or reviewed.unpredictable < now.unpredictable:
        found.append(Difference(DifferenceKind.CHANGED, "(steps that cannot be predicted)", None, None))
    return Match(tuple(found))


def remainder(reviewed: EffectSet, now: EffectSet) -> Match:
    """Reading back after a stop: what is left may be less than what was reviewed, never more or other."""
    whole = match(reviewed, now)
    return Match(tuple(each for each in whole.differences if each.kind is not DifferenceKind.VANISHED))


def covers(reviewed: EffectSet, current: EffectSet) -> bool:
    """Whether everything that would happen now was shown: new effects are never covered, vanished ones do not
    matter."""
    return remainder(reviewed, current).equal


def difference(reviewed: EffectSet, now: EffectSet) -> tuple[Difference, ...]:
    """Everything that is not the same on both sides, for showing."""
    return match(reviewed, now).differences


def _pairs(
    reviewed: EffectSet, now: EffectSet, *, volatile: tuple[str, ...], made_known: bool
) -> Iterable[Difference]:
    old, new = _by_key(reviewed), _by_key(now)
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is None:
            yield Difference(DifferenceKind.ADDED, key[0], None, after)
        elif after is None:
            yield Difference(DifferenceKind.VANISHED, key[0], before, None)
        elif not _same(before, after, volatile=volatile, made_known=made_known):
            yield Difference(DifferenceKind.CHANGED, key[0], before, after)


def _by_key(effects: EffectSet) -> dict[Key, ResourceEffect]:
    """By address and, where a tool lists one address twice, by its position there."""
    found: dict[Key, ResourceEffect] = {}
    seen: dict[str, int] = {}
    for each in (*effects.resources, *(_as_resource(output) for output in effects.outputs)):
        ordinal = seen.get(each.address, 0)
        seen[each.address] = ordinal + 1
        found[(each.address, f"{ordinal:06d}")] = each
    return found


def _as_resource(output: OutputEffect) -> ResourceEffect:
    leaf = Leaf("value", output.before, output.after)
    return ResourceEffect(f"output.{output.name}", Action.UPDATE, "output", leaves=(leaf,))


def _same(before: ResourceEffect, after: ResourceEffect, *, volatile: tuple[str, ...], made_known: bool) -> bool:
    if before == after:
        return True
    if replace(before, leaves=()) != replace(after, leaves=()) or before.action.destroys:
        return False
    old = {leaf.path: leaf for leaf in before.leaves}
    new = {leaf.path: leaf for leaf in after.leaves}
    patterns = _patterns_for(before.address, volatile)
    return all(
        old.get(path) == new.get(path)
        or any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        or (made_known and _became_known(old.get(path), path, new, old))
        for path in old.keys() | new.keys()
    )


def _patterns_for(address: str, volatile: tuple[str, ...]) -> tuple[str, ...]:
    split = (pattern.rpartition(":") for pattern in volatile)
    return tuple(path for glob, _, path in split if glob and fnmatch.fnmatchcase(address, glob))


def _became_known(reviewed: Leaf | None, path: str, new: dict[str, Leaf], old: dict[str, Leaf]) -> bool:
    """The leaf was unknown in the review; or it lies inside something that was."""
    if reviewed is None:
        return any(
            leaf.after.kind is ValueKind.UNKNOWN and (path.startswith((f"{leaf.path}.", f"{leaf.path}[")))
            for leaf in old.values()
        )
    if reviewed.after.kind is not ValueKind.UNKNOWN:
        return False
    now = new.get(path)
    return now is None or now.before == reviewed.before
