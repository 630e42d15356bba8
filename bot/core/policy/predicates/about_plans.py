"""Predicates about what only Headgate knows: projects, environments, what their plans would do, drift, the hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from bot.core.effectset import Action, Counts, EffectSet, ResourceEffect
from bot.core.match import is_literal
from bot.core.policy.facts import ProjectFact
from bot.core.policy.model import Outcome, Scope, Test
from bot.core.policy.patterns import Comparison, Name
from bot.core.policy.predicates.predicate import Predicate, some_of, told, untold
from bot.core.policy.shapes import COMPARED, FLAG, TEXTS, Refuse, compared, mapping, names, texts
from bot.core.policy.windows import WINDOW_SCHEMA, read_window

ACTIONS: Final = tuple(action.value for action in Action)
COUNTED: Final = (*ACTIONS, "destroy", "total")
HAS: Final = mapping(
    {
        "actions": {"type": "array", "minItems": 1, "items": {"enum": [*ACTIONS, "destroy"]}},
        "types": TEXTS,
        "addresses": TEXTS,
    }
)

Narrowing = Callable[[ProjectFact], bool]


def _in(of: Callable[[ProjectFact], Iterable[str]]) -> Callable[[Any], Narrowing]:
    def narrows(raw: Any) -> Narrowing:
        wanted = [Name.of(each) for each in texts(raw)]
        return lambda project: any(each.matches(name) for each in wanted for name in of(project))

    return narrows


_ENVIRONMENT = _in(lambda project: project.environments)
_PROJECT = _in(lambda project: (project.name,))
_TOOL = _in(lambda project: (project.tool,))


def _concerns(what: str, narrows: Callable[[Any], Narrowing]) -> Callable[[Any, Refuse], Test]:
    def read(raw: Any, refuse: Refuse) -> Test:
        names(raw, refuse)
        fits = narrows(raw)

        def test(scope: Scope) -> Outcome:
            found = [each.name for each in scope.facts.projects if fits(each)]
            text = (
                f"concerns {some_of(found)}" if found else f"concerns no project of the {what} {some_of(texts(raw))}"
            )
            return told(bool(found), text)

        return test

    return read


def _planned(look: Callable[[tuple[EffectSet, ...]], Outcome]) -> Test:
    """A test of every plan that the rule concerns; nobody knows while one is missing."""

    def test(scope: Scope) -> Outcome:
        missing = [each.name for each in scope.projects if each.effects is None]
        if missing:
            return untold(f"{some_of(missing)} has no plan yet")
        return look(tuple(each.effects for each in scope.projects if each.effects is not None))

    return test


def fits_action(effect: ResourceEffect, actions: Iterable[str]) -> bool:
    """``destroy`` is a deletion or a replacement."""
    return any(effect.action.value == each or (each == "destroy" and effect.action.destroys) for each in actions)


def _has(raw: Any, refuse: Refuse, *, absent: bool = False) -> Test:
    actions = tuple(raw.get("actions", ()))
    types = names(raw.get("types", ()), refuse, ("types",))
    addresses = names(raw.get("addresses", ()), refuse, ("addresses",))

    def fits(effect: ResourceEffect) -> bool:
        return (
            (not actions or fits_action(effect, actions))
            and (not types or any(each.matches(effect.type) for each in types))
            and (not addresses or any(each.matches(effect.address) for each in addresses))
        )

    def look(sets: tuple[EffectSet, ...]) -> Outcome:
        found = [
            f"{each.action.value} {each.address}" for effects in sets for each in effects.resources if fits(each)
        ]
        text = f"the plan holds {some_of(found)}" if found else "the plan holds nothing of the kind"
        return told(bool(found) is not absent, text)

    return _planned(look)


def _has_not(raw: Any, refuse: Refuse) -> Test:
    return _has(raw, refuse, absent=True)


def _counts(raw: Any, refuse: Refuse) -> Test:
    wanted = {name: compared(text) for name, text in raw.items()}
    for name, each in wanted.items():
        if each.percent:
            refuse((name,), "counts resources; a share of what there is belongs into a plan rule")

    def look(sets: tuple[EffectSet, ...]) -> Outcome:
        values = {name: _counted(sets, name) for name in wanted}
        holds = all(each.holds(values[name]) for name, each in wanted.items())
        return told(holds, "the plan: " + _shown(wanted, values))

    return _planned(look)


def _shown(wanted: dict[str, Comparison], values: dict[str, int]) -> str:
    return ", ".join(f"{name} {values[name]} ({each})" for name, each in wanted.items())


def _counted(sets: tuple[EffectSet, ...], name: str) -> int:
    counts = sum((each.counts() for each in sets), Counts())
    if name == "destroy":
        return counts.delete + counts.replace
    if name == "total":
        return sum(len(each.resources) for each in sets)
    return int(getattr(counts, "import_" if name == "import" else name))


def _flag(of: Callable[[EffectSet], bool], yes: str, no: str, *, every: bool) -> Callable[[Any, Refuse], Test]:
    def read(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
        def look(sets: tuple[EffectSet, ...]) -> Outcome:
            found = [of(each) for each in sets]
            holds = all(found) if every else any(found)
            return told(holds is raw, yes if holds else no)

        return _planned(look)

    return read


def _drifted(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    def test(scope: Scope) -> Outcome:
        unsaid = [each.name for each in scope.projects if each.drifted is None]
        off = [each.name for each in scope.projects if each.drifted]
        if unsaid and not off:
            return untold(f"whether {some_of(unsaid)} has drifted is not known")
        return told(bool(off) is raw, f"{some_of(off)} has drifted" if off else "nothing has drifted")

    return test


def _within(raw: Any, refuse: Refuse) -> Test:
    def under(number: int) -> Refuse:
        return lambda at, why: refuse((number, *at), why)

    windows = [read_window(each, under(number)) for number, each in enumerate(raw)]

    def test(scope: Scope) -> Outcome:
        open_ = [each for each in windows if each is not None and each.holds(scope.facts.now)]
        if open_:
            return told(True, f"it is within {open_[0]}")
        return told(False, f"it is not within {' or '.join(str(each) for each in windows if each is not None)}")

    return test


def _edges(raw: Any) -> tuple[Callable[[datetime], datetime | None], ...]:
    windows = (read_window(each, lambda _at, _why: None) for each in raw)
    return tuple(each.next_edge for each in windows if each is not None)


PREDICATES: Final = (
    Predicate(
        "environment",
        "a project of one of these environments is affected; the rule then concerns those projects alone",
        TEXTS,
        _concerns("environment", _ENVIRONMENT),
        narrows=_ENVIRONMENT,
        literal=lambda raw: tuple(each for each in texts(raw) if is_literal(each) and not each.startswith("/")),
    ),
    Predicate(
        "project",
        "one of these projects is; the rule then concerns those alone",
        TEXTS,
        _concerns("name", _PROJECT),
        narrows=_PROJECT,
    ),
    Predicate(
        "tool",
        "a project of one of these tools is; the rule then concerns those alone",
        TEXTS,
        _concerns("tool", _TOOL),
        narrows=_TOOL,
    ),
    Predicate("plan_has", "a plan holds a resource of these `actions`, `types` and `addresses`", HAS, _has),
    Predicate("plan_has_not", "no plan does", HAS, _has_not),
    Predicate(
        "plan_counts",
        "all plans together touch so many resources; `destroy` is delete and replace",
        mapping(dict.fromkeys(COUNTED, COMPARED)),
        _counts,
    ),
    Predicate(
        "plan_empty",
        "no plan would change anything (`false`: one would)",
        FLAG,
        _flag(lambda each: each.empty, "no plan changes anything", "a plan changes something", every=True),
    ),
    Predicate(
        "plan_unpredictable",
        "a plan holds a step whose result nobody can foresee",
        FLAG,
        _flag(
            lambda each: each.unpredictable > 0,
            "a step's result cannot be foreseen",
            "every step can be foreseen",
            every=False,
        ),
    ),
    Predicate("drifted", "what runs differs from what was deployed", FLAG, _drifted),
    Predicate(
        "within",
        "it is within one of these windows of time",
        {"type": "array", "minItems": 1, "maxItems": 50, "items": WINDOW_SCHEMA},
        _within,
        edges=_edges,
    ),
)
