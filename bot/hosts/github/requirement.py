"""What makes a branch wait for our gate: its own protection, rulesets, or both; and who gets past it all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.github.protection import Required, absent, foreign, missing, required_checks
from bot.hosts.github.rulesets import Rulesets
from bot.hosts.setup import Finding, Level


@dataclass(frozen=True, slots=True)
class Way:
    """One that requires checks: how it is called, what it requires, and who is not bound by it (empty: nobody)."""

    called: str
    required: tuple[Required, ...]
    past: str = ""


def ways(rulesets: Rulesets, repo: RepoRef, branch: Mapping[str, Any], names: Sequence[str]) -> tuple[Way, ...]:
    """Those that say anything of our checks. ``branch`` is as every reader is shown it. Raises HostBusy."""
    return tuple(way for way in _ways(rulesets, repo, branch, names) if len(absent(names, way.required)) < len(names))


def _ways(rulesets: Rulesets, repo: RepoRef, branch: Mapping[str, Any], names: Sequence[str]) -> Iterator[Way]:
    checks = some(some(branch.get("protection")).get("required_status_checks"))
    own = checks.get("enforcement_level") == "non_admins"
    yield Way("branch protection", required_checks(checks), "administrators" if own else "")
    ruled = rulesets.of_branch(repo, str(branch.get("name") or ""))
    for number in dict.fromkeys(each.ruleset_id for each in ruled):
        required = tuple(each.required for each in ruled if each.ruleset_id == number)
        if len(absent(names, required)) < len(names):
            shown = rulesets.shown(repo, number)
            yield Way(f"the ruleset {shown.name}", required, f"{shown.passing} it lets pass" if shown.passing else "")


def judged(subject: str, names: Sequence[str], found: Sequence[Way], app_id: int, remedy: str) -> Finding:
    """Whether nobody gets past the checks. ``app_id`` is our App's; 0 when we are none."""
    there = tuple(each for way in found for each in way.required)
    if lacking := absent(names, there):
        text = f"does not require {', '.join(lacking)}: people can merge past it"
        return Finding(Level.PROBLEM, subject, text, remedy)
    if others := _others(names, found, app_id):
        text = f"requires {', '.join(names)} from another App ({others}): it never turns green"
        if not app_id:
            text = f"requires {', '.join(names)} from an App ({others}), which a token is not: it never turns green"
        return Finding(Level.PROBLEM, subject, text, remedy)
    if wrong := missing(names, there, app_id):
        text = f"requires {', '.join(wrong)}, but not from our App: others can set it"
        return Finding(Level.WARNING, subject, text, remedy)
    binding = [way for way in found if not missing(names, way.required, app_id)] or list(found)
    text = f"requires {', '.join(names)}, by {' and '.join(way.called for way in found)}"
    if all(way.past for way in binding):
        past = " and ".join(way.past for way in binding)
        return Finding(
            Level.WARNING, subject, f"{text}; {past} can merge past it (that is noticed and told)",
            "Let the rules apply to administrators, too, and nobody pass by them.",
        )  # fmt: skip
    return Finding(Level.OK, subject, text)


def _others(names: Sequence[str], found: Sequence[Way], app_id: int) -> str:
    """What wants our checks from somebody else's App, which will not set them."""
    return ", ".join(way.called for way in found if foreign(names, way.required, app_id))
