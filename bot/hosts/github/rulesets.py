"""Rulesets that require checks: the one that set-up makes, and whom those in force let pass.

https://docs.github.com/en/rest/repos/rules
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.github.account import Account
from bot.hosts.github.protection import Required, missing, required
from bot.hosts.github.reads import Reads
from bot.hosts.setup import SetupStep

NAME: Final = "headgate"
"""How ours is called: a repository has each name once."""
CHECKS: Final = "required_status_checks"
SINCE: Final = "3.11"
"""Of GitHub Enterprise Server: the first that has them."""
MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Ruled:
    """A check that a ruleset in force requires of a branch."""

    required: Required
    ruleset_id: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A ruleset by its name, and how many people, teams and Apps it lets pass, as far as that is shown to us."""

    name: str
    passing: int


@dataclass(slots=True)
class _Flaws:
    """What is to be put right about a ruleset, and what is kept of it, line by line."""

    wrong: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


class Rulesets:
    """Of one repository after another. Raises HostError."""

    def __init__(self, account: Account, reads: Reads) -> None:
        self._account = account
        self._reads = reads

    # ---------------------------------------------------------------------------------------- in force

    def of_branch(self, repo: RepoRef, branch: str) -> tuple[Ruled, ...]:
        """The checks that rulesets require of a branch; none where the host knows no rulesets."""
        path = f"{self._reads.at(repo)}/rules/branches/{quote(branch, safe='')}"
        try:
            found, _ = self._reads.client(repo).all(path, MOST)
        except (HostGone, HostDenied):
            return ()
        return tuple(
            Ruled(required(each, "integration_id"), _number(rule.get("ruleset_id")))
            for rule in found
            if rule.get("type") == CHECKS
            for each in _checks(rule)
        )

    def shown(self, repo: RepoRef, number: int) -> Shown:
        """One of them."""
        try:
            found = self._reads.client(repo).get(f"{self._reads.at(repo)}/rulesets/{number}")
        except (HostGone, HostDenied):
            return Shown(str(number), 0)
        passing = found.get("bypass_actors")
        return Shown(str(found.get("name") or number), len(passing) if isinstance(passing, list) else 0)

    # -------------------------------------------------------------------------------------------- ours

    def plan(self, repo: RepoRef, branches: Sequence[str], names: Sequence[str]) -> SetupStep:
        """Ours, so that it requires the checks of all these branches; it is left alone when it does."""
        what = f"ruleset {NAME}: {', '.join(branches)} {_verb(branches)} {', '.join(names)}"
        ours = self._ours(repo)
        if ours is None:
            detail = (*self._wanted(names), "nobody may pass by it; every other rule of the branches stays as it is")
            body = {"name": NAME, "bypass_actors": [], **self._body({}, branches, names)}
            return SetupStep(what, detail, partial(self._write, repo, "POST", "", body))
        flaws = self._flaws(repo, ours, branches, names)
        if not flaws.wrong:
            return SetupStep(what)
        body, path = self._body(ours, branches, names), f"/{ours['id']}"
        return SetupStep(what, (*flaws.wrong, *flaws.kept), partial(self._write, repo, "PUT", path, body))

    def _ours(self, repo: RepoRef) -> Mapping[str, Any] | None:
        client, path = self._reads.client(repo), f"{self._reads.at(repo)}/rulesets"
        try:
            listed, _ = client.all(f"{path}?includes_parents=false", MOST)
        except HostGone:
            text = f"this host knows no rulesets: GitHub Enterprise Server has them from {SINCE} on"
            raise HostDenied(f"{text}; leave --ruleset away") from None
        found = next((each for each in listed if each.get("name") == NAME), None)
        return client.get(f"{path}/{_number(found.get('id'))}") if found is not None else None

    def _wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        source = "from our App only" if self._account.is_app else "from any source (only an App's can be told apart)"
        return (f"required from now on: {', '.join(names)}, {source}",)

    def _flaws(self, repo: RepoRef, ours: Mapping[str, Any], branches: Sequence[str], names: Sequence[str]) -> _Flaws:
        """By what is in force: only the host itself knows for which branches its patterns stand."""
        found, state = _Flaws(), str(ours.get("enforcement") or "")
        if state != "active":
            found.wrong.append(f"it is not in force ({state or 'unknown'})")
        lacking = missing(names, self._required(ours), self._account.app_id)
        if lacking:
            found.wrong += self._wanted(lacking)
        elif state == "active":
            bare = [branch for branch in branches if not self._reaches(repo, branch, ours, names)]
            found.wrong += [f"it is not for {', '.join(bare)}"] if bare else []
        others = [each.name for each in self._required(ours) if each.name not in names]
        found.kept.append(f"kept: {', '.join(others) or 'it requires no other check'}; every other rule as it is")
        return found

    def _reaches(self, repo: RepoRef, branch: str, ours: Mapping[str, Any], names: Sequence[str]) -> bool:
        here = [each.required for each in self.of_branch(repo, branch) if each.ruleset_id == ours.get("id")]
        return not missing(names, here, self._account.app_id)

    def _required(self, ours: Mapping[str, Any]) -> tuple[Required, ...]:
        return tuple(required(each, "integration_id") for rule in _rules(ours) for each in _checks(rule))

    def _body(self, ours: Mapping[str, Any], branches: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
        """What is there, and what is wanted of it. Whom it lets pass is not named, and so stays as it is."""
        named = some(some(ours.get("conditions")).get("ref_name"))
        wanted = [f"refs/heads/{branch}" for branch in branches]
        include = [str(each) for each in named.get("include") or ()]
        exclude = [str(each) for each in named.get("exclude") or () if each not in wanted]
        more = [] if "~ALL" in include else [each for each in wanted if each not in include]
        return {
            "target": "branch",
            "enforcement": "active",
            "conditions": {"ref_name": {"include": [*include, *more], "exclude": exclude}},
            "rules": self._with_checks(_rules(ours), names),
        }

    def _with_checks(self, rules: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
        source = {"integration_id": self._account.app_id} if self._account.is_app else {}
        wanted = [{"context": name, **source} for name in names]
        kept = [dict(rule) for rule in rules if rule.get("type") != CHECKS]
        there = next((rule for rule in rules if rule.get("type") == CHECKS), {})
        others = [dict(each) for each in _checks(there) if each.get("context") not in names]
        parameters = {
            "strict_required_status_checks_policy": False,
            **some(there.get("parameters")),
            CHECKS: [*others, *wanted],
        }
        return [*kept, {"type": CHECKS, "parameters": parameters}]

    def _write(self, repo: RepoRef, verb: str, path: str, body: Mapping[str, Any]) -> None:
        self._reads.client(repo).write(verb, f"{self._reads.at(repo)}/rulesets{path}", body)


def _verb(branches: Sequence[str]) -> str:
    return "requires" if len(branches) == 1 else "require"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _rules(ruleset: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    rules = ruleset.get("rules")
    return tuple(some(each) for each in rules) if isinstance(rules, list) else ()


def _checks(rule: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    checks = some(rule.get("parameters")).get(CHECKS) if rule.get("type") == CHECKS else None
    return tuple(some(each) for each in checks) if isinstance(checks, list) else ()
