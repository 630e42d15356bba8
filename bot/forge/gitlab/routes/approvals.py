"""Approvals of merge requests and the rules for them."""

from __future__ import annotations

from bot.forge import approving
from bot.forge.gitlab import approvals as deeds
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import merge_request as shapes
from bot.forge.gitlab.shapes.people import Json
from bot.forge.gitlab.shapes.project import approval_rule
from bot.forge.groups import find_group
from bot.forge.model import AccountKind, ApprovalRule, Refusal, Refused, Role


def get(call: Call, iid: int) -> Result:
    """``GET …/approvals``."""
    return shapes.approvals(call.state, call.repo, call.pull(iid), call.actor)


def state(call: Call, iid: int) -> Result:
    """``GET …/approval_state``."""
    return shapes.approval_state(call.state, call.repo, call.pull(iid))


def rules(call: Call, iid: int) -> Result:
    """``GET …/approval_rules``."""
    return list(shapes.approval_state(call.state, call.repo, call.pull(iid))["rules"])


def approve(call: Call, iid: int) -> Result:
    """``POST …/approve``: 401 for those whose approval is not taken, 409 for another head."""
    pull = call.pull(iid)
    try:
        deeds.approve(call.state, call.repo, call.actor, pull, call.text("sha"))
    except Refused as refused:
        if refused.kind is Refusal.FORBIDDEN:
            raise Declined(401, "401 Unauthorized") from None
        raise
    return Answer(shapes.approvals(call.state, call.repo, pull, call.actor), 201)


def unapprove(call: Call, iid: int) -> Result:
    """``POST …/unapprove``."""
    pull = call.pull(iid)
    deeds.unapprove(call.state, call.repo, call.actor, pull)
    return Answer(shapes.approvals(call.state, call.repo, pull, call.actor), 201)


def reset(call: Call, iid: int) -> Result:
    """``PUT …/reset_approvals``: for bots only."""
    if call.state.account(call.actor.login).kind is not AccountKind.BOT:
        raise Declined(401, "401 Unauthorized")
    deeds.reset(call.state, call.repo, call.actor, call.pull(iid))
    return Answer(None, 202)


def _rule(call: Call, rule: ApprovalRule) -> Json:
    return approval_rule(call.state, rule, approving.eligible(call.state, call.repo, rule))


def list_rules(call: Call) -> Result:
    """``GET /projects/:id/approval_rules``."""
    return Page(list(call.repo.approval_rules.values()), lambda rule: _rule(call, rule))


def _fill(call: Call, rule: ApprovalRule) -> None:
    rule.name = call.text("name") or rule.name
    needed = call.number("approvals_required")
    rule.needed = rule.needed if needed is None else needed
    people, names, groups = call.words("user_ids"), call.words("usernames"), call.words("group_ids")
    if people is not None or names is not None:
        logins = {call.login_of(int(one)) for one in people or []}
        rule.people = logins | {call.state.account(name).login for name in names or []}
    if groups is not None:
        rule.groups = {find_group(call.state, one)[1] for one in groups}
    call.state.version += 1


def create_rule(call: Call) -> Result:
    """``POST /projects/:id/approval_rules``."""
    call.need("name")
    call.need("approvals_required")
    rule = ApprovalRule(call.state.new_id(), "", 0)
    _fill(call, rule)
    call.repo.approval_rules[rule.id] = rule
    return Answer(_rule(call, rule), 201)


def _found(call: Call, rule_id: int) -> ApprovalRule:
    rule = call.repo.approval_rules.get(rule_id)
    if rule is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return rule


def get_rule(call: Call, rule_id: int) -> Result:
    """``GET /projects/:id/approval_rules/:rule_id``."""
    return _rule(call, _found(call, rule_id))


def edit_rule(call: Call, rule_id: int) -> Result:
    """``PUT /projects/:id/approval_rules/:rule_id``."""
    rule = _found(call, rule_id)
    _fill(call, rule)
    return _rule(call, rule)


def delete_rule(call: Call, rule_id: int) -> Result:
    """``DELETE /projects/:id/approval_rules/:rule_id``."""
    del call.repo.approval_rules[_found(call, rule_id).id]
    return Answer(None, 204)


def settings(call: Call) -> Json:
    """``GET /projects/:id/approvals``."""
    rules = call.repo.settings
    return {
        "approvals_before_merge": 0,
        "reset_approvals_on_push": rules.reset_approvals_on_push,
        "selective_code_owner_removals": False,
        "disable_overriding_approvers_per_merge_request": False,
        "merge_requests_author_approval": rules.author_approval,
        "merge_requests_disable_committers_approval": not rules.committers_approval,
        "require_password_to_approve": False,
        "require_reauthentication_to_approve": False,
    }


def edit_settings(call: Call) -> Result:
    """``POST /projects/:id/approvals``."""
    rules = call.repo.settings
    reset_on_push, author = call.flag("reset_approvals_on_push"), call.flag("merge_requests_author_approval")
    no_committers = call.flag("merge_requests_disable_committers_approval")
    rules.reset_approvals_on_push = rules.reset_approvals_on_push if reset_on_push is None else reset_on_push
    rules.author_approval = rules.author_approval if author is None else author
    rules.committers_approval = rules.committers_approval if no_committers is None else not no_committers
    return Answer(settings(call), 201)


_ONE = "projects/<id>/merge_requests/<int:iid>"
_RULE = "projects/<id>/approval_rules/<int:rule_id>"
ROUTES = (
    Route("GET", f"{_ONE}/approvals", get),
    Route("GET", f"{_ONE}/approval_state", state, paid=True),
    Route("GET", f"{_ONE}/approval_rules", rules, paid=True),
    Route("POST", f"{_ONE}/approve", approve),
    Route("POST", f"{_ONE}/unapprove", unapprove),
    Route("PUT", f"{_ONE}/reset_approvals", reset, paid=True),
    Route("GET", "projects/<id>/approval_rules", list_rules, paid=True),
    Route("POST", "projects/<id>/approval_rules", create_rule, Role.MAINTAIN, paid=True),
    Route("GET", _RULE, get_rule, paid=True),
    Route("PUT", _RULE, edit_rule, Role.MAINTAIN, paid=True),
    Route("DELETE", _RULE, delete_rule, Role.MAINTAIN, paid=True),
    Route("GET", "projects/<id>/approvals", settings, paid=True),
    Route("POST", "projects/<id>/approvals", edit_settings, Role.MAINTAIN, paid=True),
)
