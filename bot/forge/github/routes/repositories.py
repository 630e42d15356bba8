"""Repositories, forks, branches, their protection, and who moved what."""

from __future__ import annotations

from typing import Any

from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import repository as shapes
from bot.forge.model import Protection, Refusal, Refused, RequiredCheck, Role
from bot.forge.report_model import Activity
from bot.forge.repos import fork


def get_repo(call: Call) -> Result:
    """``GET /repos/{owner}/{name}``."""
    return shapes.full_repository(call.state, call.repo, call.actor)


def list_forks(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/forks``."""
    mine = [r for r in call.state.visible(call.actor) if r.parent == call.repo.full_name]
    return Page(mine, lambda repo: shapes.repository(call.state, repo, call.actor))


def create_fork(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/forks``."""
    copy = fork(call.state, call.repo, call.actor, call.text("name"))
    return Answer(shapes.full_repository(call.state, copy, call.actor), 202)


def _tip(call: Call, branch: str) -> str:
    ref = f"refs/heads/{branch}"
    tip = call.state.git(call.repo).refs(ref).get(ref)
    if tip is None:
        raise Refused("Branch not found", Refusal.NOT_FOUND)
    return tip


def list_branches(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/branches``."""
    heads = call.state.git(call.repo).refs("refs/heads")
    pairs = [(ref.removeprefix("refs/heads/"), sha) for ref, sha in heads.items()]
    if call.query.get("protected") == "true":
        pairs = [pair for pair in pairs if pair[0] in call.repo.protections]
    return Page(pairs, lambda pair: shapes.short_branch(call.state, call.repo, *pair))


def get_branch(call: Call, branch: str) -> Result:
    """``GET /repos/{owner}/{name}/branches/{branch}``."""
    return shapes.branch(call.state, call.repo, branch, _tip(call, branch))


def _rule(call: Call, branch: str) -> Protection:
    _tip(call, branch)
    found = call.repo.protections.get(branch)
    if found is None:
        raise Refused("Branch not protected", Refusal.NOT_FOUND)
    return found


def get_protection(call: Call, branch: str) -> Result:
    """``GET /repos/{owner}/{name}/branches/{branch}/protection``."""
    return shapes.protection(call.state, call.repo, branch, _rule(call, branch))


def put_protection(call: Call, branch: str) -> Result:
    """``PUT /repos/{owner}/{name}/branches/{branch}/protection``."""
    _tip(call, branch)
    for name in ("required_status_checks", "required_pull_request_reviews", "enforce_admins", "restrictions"):
        if name not in call.body:
            raise Refused(f'Invalid request. "{name}" wasn\'t supplied.')
    checks = call.body["required_status_checks"]
    reviews = call.body["required_pull_request_reviews"]
    call.repo.protections[branch] = Protection(
        checks=_checks(checks) if checks is not None else None,
        strict=bool(checks and checks.get("strict")),
        approvals=int(reviews.get("required_approving_review_count", 1)) if reviews is not None else None,
        dismiss_stale=bool(reviews and reviews.get("dismiss_stale_reviews")),
        code_owners=bool(reviews and reviews.get("require_code_owner_reviews")),
        last_push_approval=bool(reviews and reviews.get("require_last_push_approval")),
        enforce_admins=call.flag("enforce_admins"),
        allow_force_pushes=call.flag("allow_force_pushes"),
        allow_deletions=call.flag("allow_deletions"),
        linear_history=call.flag("required_linear_history"),
    )
    call.state.version += 1
    return get_protection(call, branch)


def _checks(wish: dict[str, Any]) -> tuple[RequiredCheck, ...]:
    if wish.get("checks") is not None:
        # app_id -1 is the API's word for "any source may set this check"
        pairs = [(item["context"], item.get("app_id")) for item in wish["checks"]]
        return tuple(RequiredCheck(context, app if app not in (None, -1) else None) for context, app in pairs)
    return tuple(RequiredCheck(context) for context in wish.get("contexts", ()))


def delete_protection(call: Call, branch: str) -> Result:
    """``DELETE /repos/{owner}/{name}/branches/{branch}/protection``."""
    _rule(call, branch)
    del call.repo.protections[branch]
    call.state.version += 1
    return Answer(None, 204)


def get_required_checks(call: Call, branch: str) -> Result:
    """``GET /repos/{owner}/{name}/branches/{branch}/protection/required_status_checks``."""
    rule = _rule(call, branch)
    if rule.checks is None:
        raise Refused("Required status checks not enabled", Refusal.NOT_FOUND)
    return shapes.required_checks(call.state, call.repo, branch, rule)


def list_activity(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/activity``."""
    wanted = call.query
    ref = wanted.get("ref")
    names = {ref, f"refs/heads/{ref}"} if ref else None

    def keep(item: Activity) -> bool:
        kinds = wanted.get("activity_type")
        actor = wanted.get("actor")
        return (
            (names is None or item.ref in names)
            and (kinds is None or item.kind == kinds)
            and (actor is None or item.actor == actor)
        )

    newest_first = [item for item in reversed(call.repo.activity) if keep(item)]
    if wanted.get("direction") == "asc":
        newest_first.reverse()
    return Page(newest_first, lambda item: shapes.activity(call.state, item))


_REPO = "/repos/<owner>/<name>"
_BRANCH = f"{_REPO}/branches/<path:branch>"
ROUTES = (
    Route("GET", _REPO, get_repo, Role.READ),
    Route("GET", f"{_REPO}/forks", list_forks, Role.READ),
    Route("POST", f"{_REPO}/forks", create_fork, Role.READ),
    Route("GET", f"{_REPO}/branches", list_branches, Role.READ),
    Route("GET", _BRANCH, get_branch, Role.READ),
    Route("GET", f"{_BRANCH}/protection", get_protection, Role.ADMIN),
    Route("PUT", f"{_BRANCH}/protection", put_protection, Role.ADMIN),
    Route("DELETE", f"{_BRANCH}/protection", delete_protection, Role.ADMIN),
    Route("GET", f"{_BRANCH}/protection/required_status_checks", get_required_checks, Role.ADMIN),
    Route("GET", f"{_REPO}/activity", list_activity, Role.READ),
)
