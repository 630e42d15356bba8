"""Predicates about what others report on the head: checks and workflows. What is not reported does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bot.core.ci import GREEN, OWN, NamedCheck
from bot.core.model import CheckState, HostCheck
from bot.core.policy.model import Outcome, Scope, Test
from bot.core.policy.predicates.predicate import Predicate, some_of, told
from bot.core.policy.shapes import TEXTS, Refuse, mapping, texts

STATES: Final = tuple(state.value for state in CheckState)
CHECKS: Final = mapping(
    {
        "all_of": TEXTS,
        "any_of": TEXTS,
        "states": {
            "type": "array",
            "minItems": 1,
            "items": {"enum": list(STATES)},
            "description": "`success` and `neutral` unless said",
        },
        "source": {"type": "string", "minLength": 1, "description": "who must report them"},
    }
)
WORKFLOWS: Final = mapping({"all_of": TEXTS, "any_of": TEXTS, "conclusions": TEXTS})


def _checks(raw: Any, refuse: Refuse) -> Test:
    if "all_of" not in raw and "any_of" not in raw:
        refuse((), "must have `all_of` or `any_of`")
    states = frozenset(map(CheckState, raw["states"])) if "states" in raw else GREEN
    source = raw.get("source", "")

    def held(checks: tuple[HostCheck, ...], name: str) -> bool:
        named = NamedCheck(name, source)
        found = {check.state for check in named.found(checks) if named.trusts(check)}
        return bool(found) and found <= states

    return _joined(raw, lambda scope, name: held(scope.facts.checks, name))


def _workflows(raw: Any, refuse: Refuse) -> Test:
    if "all_of" not in raw and "any_of" not in raw:
        refuse((), "must have `all_of` or `any_of`")
    wanted = frozenset(texts(raw.get("conclusions", "success")))

    def held(scope: Scope, path: str) -> bool:
        found = frozenset(scope.facts.workflows.get(path, ()))
        return bool(found) and found <= wanted

    return _joined(raw, held)


def _joined(raw: Any, held: Callable[[Scope, str], bool]) -> Test:
    all_of, any_of = texts(raw.get("all_of", ())), texts(raw.get("any_of", ()))

    def test(scope: Scope) -> Outcome:
        missing = [name for name in all_of if not held(scope, name)]
        some = [name for name in any_of if held(scope, name)]
        if missing:
            return told(False, f"{some_of(missing)} is not as wanted")
        if any_of and not some:
            return told(False, f"none of {some_of(any_of)} is as wanted")
        return told(True, f"{some_of((*all_of, *some))} is as wanted")

    return test


PREDICATES: Final = (
    Predicate(
        "checks",
        f"all of `all_of` and one of `any_of` are reported and in one of `states`; ours (`{OWN}…`) never count",
        CHECKS,
        _checks,
        mutable=True,
    ),
    Predicate(
        "workflows",
        "the newest runs of these workflow files, for each kind of event, ended in one of `conclusions` (`success`)",
        WORKFLOWS,
        _workflows,
        mutable=True,
    ),
)
