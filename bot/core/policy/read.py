"""A file of policies: every problem at once, or a valid ``Policy``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from bot.core.config.document import Document, load, shown
from bot.core.config.schema import checked, hint, ordered
from bot.core.errors import Problem
from bot.core.policy.model import (
    DISAPPROVE,
    REVOKE,
    Actors,
    Condition,
    Disapproval,
    Group,
    Join,
    Methods,
    Options,
    Policy,
    Require,
    Rule,
)
from bot.core.policy.plan_rules import Exempt, PlanRule
from bot.core.policy.predicates import PREDICATES
from bot.core.policy.read_plans import agreeing, read_exception, read_plan_rule
from bot.core.policy.schema import schema
from bot.core.policy.shapes import Path, Refuse, actors, proses

ACTOR_KEYS: Final = frozenset({"users", "teams", "organisations", "permission"})
DEEPEST: Final = 10
"""Groups within groups."""


def parse_policy(text: str | bytes, file: str) -> Policy | tuple[Problem, ...]:
    """The policy, or everything that is wrong with it."""
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw, problems = checked(document, schema())
    reader = _Reader(document)
    policy = reader.policy(raw, file)
    problems.extend(reader.problems)
    return ordered(problems) if problems else policy


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(self._document.problem(path, message))

    def policy(self, raw: dict[str, Any], file: str) -> Policy:
        """Everything; only meaningful when there are no problems."""
        rules = tuple(self._rule(each, ("rules", n)) for n, each in enumerate(raw.get("rules", ())))
        self._names(rules)
        members = raw.get("approval", [rule.name for rule in rules])
        approval = Group(Join.ALL, self._members(members, ("approval",), {rule.name for rule in rules}, 1))
        for number, rule in enumerate(rules):
            if "approval" in raw and rule.name not in approval.names():
                self._refuse(
                    ("rules", number, "name"), "stands nowhere in `approval`, so it would never be looked at"
                )
        disapproval = self._disapproval(raw["disapproval"]) if "disapproval" in raw else None
        plans, agreeing = self._plans(raw)
        text = json.dumps(raw, sort_keys=True)
        return Policy(
            file=file,
            rules=rules,
            approval=approval,
            disapproval=disapproval,
            otherwise_pending=raw.get("otherwise", "pass") == "wait",
            plans=plans,
            agreeing=agreeing,
            exceptions=self._exceptions(raw, {plan.name for plan in plans}),
            actors=tuple(_actors_in(raw)),
            digest=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _plans(self, raw: dict[str, Any]) -> tuple[tuple[PlanRule, ...], dict[str, Rule]]:
        plans: list[PlanRule] = []
        agreeing_: dict[str, Rule] = {}
        for number, each in enumerate(raw.get("plans", ())):
            at: Path = ("plans", number)
            refuse = self._under(at)
            plan = read_plan_rule(each, refuse, f"{self._document.file}:{self._document.line(at)}")
            if any(plan.name == other.name for other in plans):
                refuse(("name",), "is another plan rule's name, too")
            rule = agreeing(each, plan, refuse)
            plans.append(plan)
            agreeing_ |= {plan.name: rule} if rule else {}
        return tuple(plans), agreeing_

    def _exceptions(self, raw: dict[str, Any], known: set[str]) -> tuple[Exempt, ...]:
        found = enumerate(raw.get("exceptions", ()))
        return tuple(read_exception(each, known, self._under(("exceptions", number))) for number, each in found)

    def _under(self, at: Path) -> Refuse:
        return lambda place, why: self._refuse((*at, *place), why)

    def _names(self, rules: Iterable[Rule]) -> None:
        seen: set[str] = set()
        for number, rule in enumerate(rules):
            if rule.name in seen:
                self._refuse(("rules", number, "name"), "is another rule's name, too")
            seen.add(rule.name)

    def _members(self, raw: Iterable[Any], path: Path, known: set[str], depth: int) -> tuple[str | Group, ...]:
        found: list[str | Group] = []
        for number, each in enumerate(raw):
            at = (*path, number)
            if isinstance(each, str):
                if each not in known:
                    self._refuse(at, f"no rule is called `{shown(each)}`.{hint(each, known)}")
                found.append(each)
            elif depth >= DEEPEST:
                self._refuse(at, f"is nested more than {DEEPEST} deep")
            else:
                ((join, members),) = each.items()
                found.append(Group(Join(join), self._members(members, (*at, join), known, depth + 1)))
        return tuple(found)

    def _rule(self, raw: dict[str, Any], at: Path) -> Rule:
        require = raw.get("require", {})
        people = actors(require.get("people", {}))
        rule = Rule(
            name=raw["name"],
            description=raw.get("description", ""),
            when=self._conditions(raw.get("if", {}), (*at, "if")),
            require=Require(
                count=require.get("count", 0),
                people=people,
                distinct_teams=require.get("distinct_teams", 0),
                owners=require.get("owners", False),
                conditions=self._conditions(require.get("conditions", {}), (*at, "require", "conditions")),
            ),
            options=self._options(raw.get("options", {}), (*at, "options")),
            locked=raw.get("locked", True),
            place=f"{self._document.file}:{self._document.line(at)}",
        )
        self._sense(rule, (*at, "require"))
        return rule

    def _sense(self, rule: Rule, at: Path) -> None:
        require = rule.require
        if require.distinct_teams > len(require.people.teams):
            self._refuse((*at, "distinct_teams"), "is more than `people.teams` names")

    def _conditions(self, raw: Mapping[str, Any], at: Path) -> tuple[Condition, ...]:
        return tuple(self._condition(name, value, (*at, name)) for name, value in raw.items())

    def _condition(self, name: str, value: Any, at: Path) -> Condition:
        predicate = PREDICATES[name]
        test = predicate.read(value, self._under(at))
        narrows = predicate.narrows(value) if predicate.narrows else None
        return Condition(name, test, predicate.mutable, narrows, predicate.edges(value), predicate.literal(value))

    def _options(self, raw: Mapping[str, Any], at: Path) -> Options:
        return Options(
            author=raw.get("author", False),
            contributors=raw.get("contributors", False),
            keep_on_push=raw.get("keep_on_push", False),
            ignore_update_merges=raw.get("ignore_update_merges", False),
            ignored_commits_by=actors(raw["ignore_commits_by"]) if "ignore_commits_by" in raw else Actors(),
            ignore_edited=raw.get("ignore_edited", False),
            methods=self._methods(raw.get("methods", {}), (*at, "methods"), Methods()),
        )

    def _methods(self, raw: Mapping[str, Any], at: Path, default: Methods) -> Methods:
        def read(name: str, otherwise: Any) -> Any:
            return proses(raw[name], self._refuse, (*at, name)) if name in raw else otherwise

        return Methods(
            reviews=raw.get("reviews", default.reviews),
            review_texts=read("review_texts", default.review_texts),
            comments=read("comments", default.comments),
            descriptions=read("descriptions", default.descriptions),
        )

    def _disapproval(self, raw: Mapping[str, Any]) -> Disapproval:
        at: Path = ("disapproval",)
        return Disapproval(
            when=self._conditions(raw.get("if", {}), (*at, "if")),
            people=actors(raw.get("people", {})),
            disapprove=self._methods(raw.get("disapprove", {}), (*at, "disapprove"), DISAPPROVE),
            revoke=self._methods(raw.get("revoke", {}), (*at, "revoke"), REVOKE),
        )


def _actors_in(raw: Any) -> Iterator[Actors]:
    """Wherever teams or organisations are named."""
    if isinstance(raw, dict):
        if raw.keys() & {"teams", "organisations"} and raw.keys() <= {
            "users",
            "teams",
            "organisations",
            "permission",
        }:
            yield actors(raw)
            return
        for each in raw.values():
            yield from _actors_in(each)
    elif isinstance(raw, list):
        for each in raw:
            yield from _actors_in(each)
