"""Branches and how they are protected."""

from __future__ import annotations

from dataclasses import replace

from bot.forge import pushes, repos
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import project as shapes
from bot.forge.gitlab.shapes.people import role_of
from bot.forge.model import Access, Protection, Refusal, Refused, Role


def _heads(call: Call) -> dict[str, str]:
    refs = call.state.git(call.repo).refs("refs/heads")
    return {ref.removeprefix("refs/heads/"): sha for ref, sha in refs.items()}


def list_branches(call: Call) -> Result:
    """``GET /projects/:id/repository/branches``."""
    search = call.text("search") or ""
    rows = [(name, sha) for name, sha in _heads(call).items() if search in name]
    return Page(rows, lambda row: shapes.branch(call.state, call.repo, row[0], row[1], call.actor))


def get_branch(call: Call, branch: str) -> Result:
    """``GET /projects/:id/repository/branches/:branch``."""
    sha = _heads(call).get(branch)
    if sha is None:
        raise Declined(404, "404 Branch Not Found")
    return shapes.branch(call.state, call.repo, branch, sha, call.actor)


def create_branch(call: Call) -> Result:
    """``POST /projects/:id/repository/branches``."""
    name = call.need("branch")
    sha = call.state.git(call.repo).resolve(call.need("ref"))
    if sha is None or name in _heads(call):
        raise Declined(400, "Invalid reference name" if sha is None else "Branch already exists")
    pushes.push(call.state, call.repo, call.actor, f"refs/heads/{name}", sha)
    return Answer(shapes.branch(call.state, call.repo, name, sha, call.actor), 201)


def delete_branch(call: Call, branch: str) -> Result:
    """``DELETE /projects/:id/repository/branches/:branch``."""
    if branch not in _heads(call):
        raise Declined(404, "404 Branch Not Found")
    repos.delete_branch(call.state, call.repo, call.actor, branch)
    return Answer(None, 204)


def _rule(call: Call, name: str) -> Protection:
    rule = call.repo.protections.get(name)
    if rule is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return rule


def list_protected(call: Call) -> Result:
    """``GET /projects/:id/protected_branches``."""
    return Page(
        sorted(call.repo.protections),
        lambda name: shapes.protected_branch(call.state, call.repo, name, _rule(call, name)),
    )


def get_protected(call: Call, name: str) -> Result:
    """``GET /projects/:id/protected_branches/:name``."""
    return shapes.protected_branch(call.state, call.repo, name, _rule(call, name))


def protect(call: Call) -> Result:
    """``POST /projects/:id/protected_branches``."""
    name = call.need("name")
    if name in call.repo.protections:
        raise Refused(f"Protected branch '{name}' already exists", Refusal.CONFLICT)
    rule = Protection(
        allow_force_pushes=bool(call.flag("allow_force_push")),
        code_owners=bool(call.flag("code_owner_approval_required")),
        push=_access(call, "push") or Access(Role.MAINTAIN),
        merge=_access(call, "merge") or Access(Role.MAINTAIN),
    )
    call.repo.protections[name] = rule
    call.state.version += 1
    return Answer(shapes.protected_branch(call.state, call.repo, name, rule), 201)


def _access(call: Call, what: str) -> Access | None:
    """Who may, from ``push_access_level`` or the finer ``allowed_to_push``; None when neither is said."""
    number = call.number(f"{what}_access_level")
    rows = call.params.get(f"allowed_to_{what}") if call.state.paid else None
    if number is None and not isinstance(rows, list):
        return None
    levels = [] if number is None else [number]
    people: set[str] = set()
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            raise Declined(400, f"allowed_to_{what} is invalid", "error")
        if "user_id" in row:
            people.add(_member(call, int(row["user_id"])))
        elif "access_level" in row:
            levels.append(int(row["access_level"]))
    least = min((one for one in levels if one > 0), default=0)
    return Access(role_of(least) if least else None, frozenset(people))


def _member(call: Call, user_id: int) -> str:
    login = call.login_of(user_id)
    if call.repo.roles.get(login, Role.NONE) < Role.WRITE and login not in call.repo.roles:
        raise Declined(422, {"push_access_levels.user": ["is not a member of the project"]})
    return login


def edit_protected(call: Call, name: str) -> Result:
    """``PATCH /projects/:id/protected_branches/:name``."""
    rule = _rule(call, name)
    force, owners = call.flag("allow_force_push"), call.flag("code_owner_approval_required")
    rule = replace(
        rule,
        allow_force_pushes=rule.allow_force_pushes if force is None else force,
        code_owners=rule.code_owners if owners is None else owners,
        push=_edited(call, "push", rule.push),
        merge=_edited(call, "merge", rule.merge),
    )
    call.repo.protections[name] = rule
    call.state.version += 1
    return shapes.protected_branch(call.state, call.repo, name, rule)


def _edited(call: Call, what: str, access: Access | None) -> Access | None:
    """Rows with ``_destroy`` take away, the others add; the host's way of changing who may."""
    rows = call.params.get(f"allowed_to_{what}") if call.state.paid else None
    if not isinstance(rows, list):
        return access
    held = access or Access(Role.WRITE)
    people, role = set(held.people), held.role
    shown = {row["id"]: row for row in shapes.access_levels(call.state, access)}
    for row in rows:
        if row.get("_destroy"):
            gone = shown.get(int(row.get("id", 0)))
            if gone is None:
                raise Refused("Not Found", Refusal.NOT_FOUND)
            if gone["user_id"] is None:
                role = None
            else:
                people.discard(call.login_of(gone["user_id"]))
        elif "user_id" in row:
            people.add(_member(call, int(row["user_id"])))
        elif "access_level" in row:
            number = int(row["access_level"])
            role = role_of(number) if number else None
    return Access(role, frozenset(people))


def unprotect(call: Call, name: str) -> Result:
    """``DELETE /projects/:id/protected_branches/:name``."""
    _rule(call, name)
    del call.repo.protections[name]
    call.state.version += 1
    return Answer(None, 204)


ROUTES = (
    Route("GET", "projects/<id>/repository/branches", list_branches),
    Route("POST", "projects/<id>/repository/branches", create_branch, Role.WRITE),
    Route("GET", "projects/<id>/repository/branches/<branch>", get_branch),
    Route("DELETE", "projects/<id>/repository/branches/<branch>", delete_branch, Role.WRITE),
    Route("GET", "projects/<id>/protected_branches", list_protected, Role.MAINTAIN),
    Route("POST", "projects/<id>/protected_branches", protect, Role.MAINTAIN),
    Route("GET", "projects/<id>/protected_branches/<name>", get_protected, Role.MAINTAIN),
    Route("PATCH", "projects/<id>/protected_branches/<name>", edit_protected, Role.MAINTAIN),
    Route("DELETE", "projects/<id>/protected_branches/<name>", unprotect, Role.MAINTAIN),
)
