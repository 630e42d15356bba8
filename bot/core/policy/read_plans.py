"""Plan rules and exceptions as they are written, and those who must agree to what a rule finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.core.policy.expressions import flaw
from bot.core.policy.model import Options, Require, Rule
from bot.core.policy.plan_rules import VARIABLES_OF_PLAN, VARIABLES_OF_RESOURCE, Exempt, Level, PlanRule
from bot.core.policy.shapes import Path, Refuse, actors, names


def read_plan_rule(raw: Mapping[str, Any], refuse: Refuse, place: str) -> PlanRule:
    """One rule; ``refuse`` is told what cannot be."""
    if "when" in raw and "plan" in raw:
        refuse((), "has either `when` (of each resource) or `plan` (of a plan's counts)")
    for name, variables in (("when", VARIABLES_OF_RESOURCE), ("plan", VARIABLES_OF_PLAN)):
        if name in raw and (why := flaw(raw[name], variables)):
            refuse((name,), why)
    if not raw.keys() & {"types", "actions", "addresses", "when", "plan"}:
        refuse((), "looks at nothing: it needs `types`, `actions`, `addresses`, `when` or `plan`")
    return PlanRule(
        name=raw["name"],
        description=raw.get("description", ""),
        level=Level(raw.get("level", "deny")),
        levels={name: Level(level) for name, level in raw["levels"].items()} if "levels" in raw else None,
        advisory=raw.get("advisory", False),
        environments=_names(raw, "environments", refuse),
        types=_names(raw, "types", refuse),
        actions=tuple(raw.get("actions", ())),
        addresses=_names(raw, "addresses", refuse),
        when=raw.get("when", ""),
        plan=raw.get("plan", ""),
        fix=raw.get("fix", ""),
        place=place,
    )


def agreeing(raw: Mapping[str, Any], rule: PlanRule, refuse: Refuse) -> Rule | None:
    """Who must agree to what a rule of the level ``require`` finds; None for one that asks nobody."""
    levels = {rule.level, *(rule.levels or {}).values()}
    approval = raw.get("approval")
    if Level.REQUIRE in levels and approval is None:
        refuse(("level",), "`require` needs `approval`: who must agree")
    if approval is None:
        return None
    require = Require(count=approval.get("count", 1), people=actors(approval["people"]))
    return Rule(rule.name, rule.description, require=require, options=Options(keep_on_push=True), place=rule.place)


def read_exception(raw: Mapping[str, Any], known: set[str], refuse: Refuse) -> Exempt:
    """One exception: of which rule, for what, whose, why and until when."""
    if raw["rule"] not in known:
        refuse(("rule",), "is no plan rule of this file")
    return Exempt(
        rule=raw["rule"],
        resources=_names(raw, "resources", refuse),
        projects=_names(raw, "projects", refuse),
        owner=raw["owner"],
        reason=raw["reason"],
        until=_until(raw["until"], lambda why: refuse(("until",), why)),
    )


def _until(text: str, refuse: Callable[[str], None]) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse("is not a date or a moment, such as `2026-12-31`")
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _names(raw: Mapping[str, Any], name: str, refuse: Refuse) -> tuple[Any, ...]:
    at: Path = (name,)
    return names(raw.get(name, ()), refuse, at)
