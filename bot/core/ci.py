"""Others' checks as a condition of the gate: CI results by name, pinned to who may report them.

Results are those of the change's present head; Headgate's own checks are never among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.core.face.words import both, either
from bot.core.model import CheckState, HostCheck
from bot.core.verdict import Reason, Status

OWN: Final = "headgate/"
GREEN: Final = frozenset({CheckState.SUCCESS, CheckState.NEUTRAL})
RED: Final = frozenset({CheckState.FAILURE, CheckState.ERROR})


@dataclass(frozen=True, slots=True)
class NamedCheck:
    """A check, or with ``*`` (any characters) all checks of such names. ``source`` is who must report it: an
    application's short name or a login; empty for anybody."""

    name: str
    source: str = ""

    def __str__(self) -> str:
        return f"`{self.name}`" + (f" by {self.source}" if self.source else "")

    def found(self, checks: Iterable[HostCheck]) -> tuple[HostCheck, ...]:
        """What was reported under this name, whoever did."""
        return tuple(check for check in checks if _matches(self.name, check.name) and not check.name.startswith(OWN))

    def trusts(self, check: HostCheck) -> bool:
        """Whether it was reported by who must."""
        return not self.source or _account(check.source) == _account(self.source)


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One of these must be green; with ``if_present`` only those count that are reported at all."""

    any_of: tuple[NamedCheck, ...]
    if_present: bool = False

    def __str__(self) -> str:
        return either([str(each) for each in self.any_of]) + (" if present" if self.if_present else "")


@dataclass(frozen=True, slots=True)
class _Standing:
    named: NamedCheck
    state: CheckState | None
    """The worst of what it matches; None when nothing is reported by who must."""
    strangers: tuple[str, ...]


def check_rules(raw: Iterable[str | Mapping[str, Any]], refuse: Callable[[int, str], None]) -> tuple[CheckRule, ...]:
    """Rules as written; ``refuse`` is told which entry says too much or too little."""
    found = []
    for position, entry in enumerate(raw):
        if isinstance(entry, str):
            found.append(CheckRule((NamedCheck(entry),)))
        elif ("name" in entry) == ("any_of" in entry) or ("source" in entry and "any_of" in entry):
            refuse(position, "must have either `name` (and perhaps `source`) or `any_of`")
        else:
            members = entry.get("any_of", [entry])
            found.append(CheckRule(tuple(_named(each) for each in members), entry.get("if_present", False)))
    return tuple(found)


def check_reasons(rules: Iterable[CheckRule], checks: tuple[HostCheck, ...], author: str) -> Iterable[Reason]:
    """One reason for each rule, in the order of their names."""
    for rule in sorted(set(rules), key=str):
        yield _reason(rule, [_standing(named, checks) for named in rule.any_of], author)


def _named(entry: str | Mapping[str, Any]) -> NamedCheck:
    return NamedCheck(entry) if isinstance(entry, str) else NamedCheck(entry["name"], entry.get("source", ""))


def _standing(named: NamedCheck, checks: tuple[HostCheck, ...]) -> _Standing:
    found = named.found(checks)
    states = {check.state for check in found if named.trusts(check)}
    strangers = tuple(sorted({check.source or "nobody known" for check in found if not named.trusts(check)}))
    if not states:
        return _Standing(named, None, strangers)
    worst = states & RED or states - GREEN or states
    return _Standing(named, min(worst, key=lambda state: state.value), strangers)


def _reason(rule: CheckRule, standings: list[_Standing], author: str) -> Reason:
    name = f"check.{rule}"
    counted = [each for each in standings if not rule.if_present or each.state is not None or each.strangers]
    if not counted:
        return Reason(name, Status.APPROVED, f"{_names(standings, either)} is not there, and counts only if it is")
    green = [each for each in counted if each.state in GREEN]
    if green:
        return Reason(name, Status.APPROVED, f"{green[0].named} is green")
    if all(each.state in RED for each in counted):
        text = f"{_names(counted, both)} failed"
        return Reason(name, Status.DENIED, text, who=(author,), how="push a fix or run it again")
    open_ = [each for each in counted if each.state not in RED]
    return Reason(name, Status.PENDING, "; ".join(map(_waits, open_)))


def _waits(standing: _Standing) -> str:
    if standing.state is not None:
        return f"{standing.named} has not ended"
    if standing.strangers:
        return f"`{standing.named.name}` was reported by {both(standing.strangers)}, not by {standing.named.source}"
    return f"{standing.named} has not reported for this commit"


def _names(standings: list[_Standing], joined: Callable[[list[str]], str]) -> str:
    return joined([str(each.named) for each in standings])


def _account(name: str) -> str:
    """Hosts write an application now with ``[bot]``, now without."""
    return name.lower().removesuffix("[bot]")


def _matches(pattern: str, name: str) -> bool:
    """``*`` stands for any characters. In time that grows with the name's length alone."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
