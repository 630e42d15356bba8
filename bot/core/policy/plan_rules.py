"""What no plan may do: rules over what plans do to each resource, or over their counts; and exceptions to them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core.effectset import EffectSet, ResourceEffect, Value, ValueKind
from bot.core.policy.facts import Found, ProjectFact
from bot.core.policy.patterns import Name


class Level(enum.Enum):
    """What a rule does with what it finds."""

    DENY = "deny"
    REQUIRE = "require"
    """Certain people must agree."""
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception: data with an owner, a reason and an end."""

    rule: str
    resources: tuple[Name, ...]
    projects: tuple[Name, ...]
    owner: str
    reason: str
    until: datetime

    def covers(self, found: Found, now: datetime) -> bool:
        """Whether it holds now, for this."""
        return (
            now < self.until
            and self.rule == found.rule
            and (not self.resources or any(each.matches(found.address) for each in self.resources))
            and (not self.projects or any(each.matches(found.project) for each in self.projects))
        )


@dataclass(frozen=True, slots=True)
class PlanRule:
    """A rule about plans. It looks at resources of these types, actions and addresses, in these environments.

    ``when`` is an expression (CEL) over one resource; ``plan`` one over the counts of a project's plan. Without
    either every resource that fits is found. ``levels`` are those of single environments.
    """

    name: str
    description: str = ""
    level: Level = Level.DENY
    levels: Mapping[str, Level] | None = None
    advisory: bool = False
    environments: tuple[Name, ...] = ()
    types: tuple[Name, ...] = ()
    actions: tuple[str, ...] = ()
    addresses: tuple[Name, ...] = ()
    when: str = ""
    plan: str = ""
    fix: str = ""
    place: str = ""

    def level_in(self, environments: Iterable[str]) -> Level:
        """The strictest of those of a project's environments."""
        known = self.levels or {}
        return min((known.get(name, self.level) for name in environments), key=list(Level).index, default=self.level)

    def concerns(self, project: ProjectFact) -> bool:
        """Whether it looks at a project's plan."""
        return not self.environments or any(
            each.matches(name) for each in self.environments for name in project.environments
        )

    def fits(self, effect: ResourceEffect) -> bool:
        """Whether it looks at a resource of one of its types."""
        return (not self.actions or does(effect, self.actions)) and (
            not self.addresses or any(each.matches(effect.address) for each in self.addresses)
        )

    def canonical(self) -> tuple[str, ...]:
        """What it finds depends on: for what was found to be known again."""
        patterns = (self.environments, self.types, self.addresses)
        return (
            self.name,
            *("|".join(each.pattern for each in some) for some in patterns),
            "|".join(self.actions),
            self.when,
            self.plan,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """An expression to evaluate: of a rule, for one resource (or, for ``plan``, a project), with its variables."""

    rule: str
    project: str
    address: str
    what: str
    expression: str
    variables: Mapping[str, object]
    policy: str = ""


def does(effect: ResourceEffect, actions: Iterable[str]) -> bool:
    """``destroy`` is a deletion or a replacement."""
    return any(effect.action.value == each or (each == "destroy" and effect.action.destroys) for each in actions)


class Plans:
    """Projects' plans, ready for many rules: resources by type, so that most pairs of a rule and a resource are never
    looked at."""

    def __init__(self, projects: Iterable[ProjectFact]) -> None:
        self._plans: list[tuple[ProjectFact, EffectSet, dict[str, list[ResourceEffect]]]] = []
        self._variables: dict[int, dict[str, object]] = {}
        for project in projects:
            if project.effects is not None:
                by_type: dict[str, list[ResourceEffect]] = {}
                for effect in project.effects.resources:
                    by_type.setdefault(effect.type, []).append(effect)
                self._plans.append((project, project.effects, by_type))

    def found_outright(self, rules: Iterable[PlanRule]) -> Iterator[Found]:
        """What rules without an expression find."""
        for rule in rules:
            if not rule.when and not rule.plan:
                for project, effect in self._looked_at(rule):
                    yield Found(rule.name, project.name, effect.address, summary(effect))

    def questions(self, rules: Iterable[PlanRule]) -> Iterator[Question]:
        """What has to be evaluated for the others. Questions about the same thing share their variables."""
        for rule in rules:
            if rule.plan:
                for project, effects, _ in self._plans:
                    if rule.concerns(project):
                        yield Question(rule.name, project.name, "", "", rule.plan, _of_plan(project, effects))
            elif rule.when:
                for project, effect in self._looked_at(rule):
                    known = self._known(project, effect)
                    yield Question(rule.name, project.name, effect.address, summary(effect), rule.when, known)

    def _known(self, project: ProjectFact, effect: ResourceEffect) -> dict[str, object]:
        found = self._variables.get(id(effect))
        if found is None:
            found = {**_of_resource(effect), "project": _of_project(project)}
            self._variables[id(effect)] = found
        return found

    def _looked_at(self, rule: PlanRule) -> Iterator[tuple[ProjectFact, ResourceEffect]]:
        for project, _, by_type in self._plans:
            if not rule.concerns(project):
                continue
            for name, effects in by_type.items():
                # Some tools have no types: `*` is all of them nonetheless.
                if not rule.types or any(each.pattern == "*" or each.matches(name) for each in rule.types):
                    yield from ((project, effect) for effect in effects if rule.fits(effect))


def summary(effect: ResourceEffect) -> str:
    """An effect in a few words; nothing sensitive is in them."""
    if not effect.leaves or effect.action.value in ("create", "delete"):
        return effect.action.value
    leaves = ", ".join(f"{leaf.path} {_short(leaf.before)} → {_short(leaf.after)}" for leaf in effect.leaves[:3])
    more = f" and {len(effect.leaves) - 3} more" if len(effect.leaves) > 3 else ""
    return f"{effect.action.value}: {leaves}{more}"


def _short(value: Value) -> str:
    if value.kind is ValueKind.KNOWN:
        return value.text if len(value.text) <= 40 else value.text[:39] + "…"
    return {ValueKind.ABSENT: "nothing", ValueKind.UNKNOWN: "known later"}.get(value.kind, "(sensitive)")


def _of_resource(effect: ResourceEffect) -> dict[str, object]:
    """``before`` and ``after`` hold what is known, by path; ``unknown`` and ``sensitive`` name the rest."""
    sides: dict[str, dict[str, str]] = {"before": {}, "after": {}}
    unknown, sensitive = [], []
    for leaf in effect.leaves:
        for name, value in (("before", leaf.before), ("after", leaf.after)):
            if value.kind is ValueKind.KNOWN:
                sides[name][leaf.path] = value.text
        if leaf.after.kind is ValueKind.UNKNOWN:
            unknown.append(leaf.path)
        if ValueKind.SENSITIVE in (leaf.before.kind, leaf.after.kind):
            sensitive.append(leaf.path)
    resource = {
        "address": effect.address,
        "type": effect.type,
        "action": effect.action.value,
        "previous_address": effect.previous_address,
        "replaced_by": list(effect.replace_paths),
        "changed": [leaf.path for leaf in effect.leaves],
    }
    return {"resource": resource, **sides, "unknown": unknown, "sensitive": sensitive}


def _of_project(project: ProjectFact) -> dict[str, object]:
    return {"name": project.name, "tool": project.tool, "environments": list(project.environments)}


def _of_plan(project: ProjectFact, effects: EffectSet) -> dict[str, object]:
    counts = effects.counts()
    numbers = {name: getattr(counts, name) for name in ("create", "update", "delete", "replace", "move", "run")}
    numbers |= {"import": counts.import_, "destroy": counts.delete + counts.replace, "total": len(effects.resources)}
    by_type: dict[str, int] = {}
    for effect in effects.resources:
        by_type[effect.type] = by_type.get(effect.type, 0) + 1
    return {
        "counts": numbers,
        "types": by_type,
        "unpredictable": effects.unpredictable,
        "project": _of_project(project),
    }


VARIABLES_OF_RESOURCE = frozenset({"resource", "before", "after", "unknown", "sensitive", "project"})
VARIABLES_OF_PLAN = frozenset({"counts", "types", "unpredictable", "project"})
