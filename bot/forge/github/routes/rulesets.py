"""Rulesets of a repository, and the rules that are in force for a branch."""

from __future__ import annotations

from typing import Any

from bot.forge import rulesets
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import repository as shapes
from bot.forge.github.shapes.people import Json
from bot.forge.model import Refusal, Refused, Role
from bot.forge.ruleset_model import Ruleset

_TARGETS, _STATES = ("branch", "tag", "push"), ("active", "evaluate", "disabled")


def list_rulesets(call: Call) -> Result:
    """``GET /repos/{owner}/{repo}/rulesets``; without their rules."""
    return Page(list(call.repo.rulesets.values()), lambda each: shapes.short_ruleset(call.state, call.repo, each))


def create_ruleset(call: Call) -> Result:
    """``POST /repos/{owner}/{repo}/rulesets``."""
    now = call.state.now()
    made = _filled(call, Ruleset(call.state.new_id(), call.need("name"), now, now, enforcement=""))
    if any(each.name == made.name for each in call.repo.rulesets.values()):
        raise Refused("Name must be unique")
    call.repo.rulesets[made.id] = made
    call.state.version += 1
    return Answer(_shown(call, made), 201)


def get_ruleset(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{repo}/rulesets/{ruleset_id}``."""
    return _shown(call, _found(call, number))


def put_ruleset(call: Call, number: int) -> Result:
    """``PUT /repos/{owner}/{repo}/rulesets/{ruleset_id}``; what is not named stays."""
    changed = _filled(call, _found(call, number))
    changed.updated_at = call.state.now()
    call.state.version += 1
    return _shown(call, changed)


def delete_ruleset(call: Call, number: int) -> Result:
    """``DELETE /repos/{owner}/{repo}/rulesets/{ruleset_id}``."""
    del call.repo.rulesets[_found(call, number).id]
    call.state.version += 1
    return Answer(None, 204)


def branch_rules(call: Call, branch: str) -> Result:
    """``GET /repos/{owner}/{repo}/rules/branches/{branch}``: of active rulesets alone."""
    rules = [(each, rule) for each in rulesets.of_branch(call.repo, branch) for rule in each.rules]
    return Page(rules, lambda pair: _ruled(call, *pair))


def _ruled(call: Call, ruleset: Ruleset, rule: Json) -> Json:
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.repo.full_name}
    return {**rule, **source, "ruleset_id": ruleset.id}


def _found(call: Call, number: int) -> Ruleset:
    found = call.repo.rulesets.get(number)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def _shown(call: Call, which: Ruleset) -> Json:
    """Who may pass by it is shown to those alone who may change it."""
    administers = call.state.role(call.repo, call.actor) >= Role.ADMIN
    return shapes.ruleset(call.state, call.repo, which, bypass=administers)


def _filled(call: Call, ruleset: Ruleset) -> Ruleset:
    ruleset.name = call.text("name") or ruleset.name
    ruleset.target = _word(call, "target", _TARGETS, ruleset.target)
    ruleset.enforcement = _word(call, "enforcement", _STATES, ruleset.enforcement)
    named = (call.body.get("conditions") or {}).get("ref_name")
    if named is not None:
        ruleset.include, ruleset.exclude = tuple(named.get("include") or ()), tuple(named.get("exclude") or ())
    if "rules" in call.body:
        ruleset.rules = [_rule(each) for each in call.body["rules"] or []]
    if "bypass_actors" in call.body:
        ruleset.bypass = [{"bypass_mode": "always", **each} for each in call.body["bypass_actors"] or []]
    return ruleset


def _word(call: Call, name: str, words: tuple[str, ...], known: str) -> str:
    word = call.text(name) or known
    if word not in words:
        raise Refused(f"{name} is not included in the list")
    return word


def _rule(given: Any) -> Json:
    rule = dict(given)
    if rule.get("type") == rulesets.CHECKS:
        parameters = {"do_not_enforce_on_create": False, **rule.get("parameters", {})}
        if rulesets.CHECKS not in parameters or "strict_required_status_checks_policy" not in parameters:
            raise Refused("Invalid rule 'required_status_checks': parameters are missing")
        rule["parameters"] = parameters
    return rule


_SETS = "/repos/<owner>/<name>/rulesets"
ROUTES = (
    Route("GET", _SETS, list_rulesets, Role.READ),
    Route("POST", _SETS, create_ruleset, Role.ADMIN),
    Route("GET", f"{_SETS}/<int:number>", get_ruleset, Role.READ),
    Route("PUT", f"{_SETS}/<int:number>", put_ruleset, Role.ADMIN),
    Route("DELETE", f"{_SETS}/<int:number>", delete_ruleset, Role.ADMIN),
    Route("GET", "/repos/<owner>/<name>/rules/branches/<path:branch>", branch_rules, Role.READ),
)
