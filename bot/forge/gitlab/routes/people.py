"""Users, groups and memberships."""

from __future__ import annotations

from bot.forge.gitlab.call import Answer, Call, Page, Result, Route
from bot.forge.gitlab.shapes import people as shapes
from bot.forge.groups import all_members, direct_members, find_group, groups
from bot.forge.model import AccountKind, Actor, Refusal, Refused, Repo, Role
from bot.forge.state import State


def version(_: Call) -> Result:
    """``GET /version``."""
    return {"version": "19.0.0-ee", "revision": "headgate"}


def metadata(_: Call) -> Result:
    """``GET /metadata``."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return {"version": "19.0.0-ee", "revision": "headgate", "kas": kas, "enterprise": True}


def me(call: Call) -> Result:
    """``GET /user``."""
    return shapes.current_user(call.state, call.state.account(call.actor.login))


def token_self(call: Call) -> Result:
    """``GET /personal_access_tokens/self``."""
    who = call.state.account(call.actor.login)
    return {
        "id": who.id,
        "name": who.login,
        "revoked": False,
        "created_at": shapes.moment(who.created_at),
        "description": None,
        "scopes": ["api"],
        "user_id": who.id,
        "last_used_at": shapes.moment(call.state.now()),
        "active": True,
        "expires_at": None,
    }


def users(call: Call) -> Result:
    """``GET /users``."""
    name, search = call.text("username"), (call.text("search") or "").lower()

    def fits(login: str) -> bool:
        right = name is None or shapes.username(login).lower() == name.lower()
        # A private address is found by administrators alone, and only when it is written out.
        known = call.actor.login in call.state.admins and call.state.accounts[login].email == search
        return right and (known or search in login.lower())

    people = [a for a in call.state.accounts.values() if a.kind is not AccountKind.ORGANIZATION]
    return Page([a for a in people if fits(a.login)], lambda a: shapes.basic(call.state, a.login))


def user(call: Call, user_id: int) -> Result:
    """``GET /users/:id``."""
    return shapes.user(call.state, call.state.account(call.login_of(user_id)))


def list_groups(call: Call) -> Result:
    """``GET /groups``."""
    search = (call.text("search") or "").lower()
    seen = [path for _, path, _ in groups(call.state) if search in path and _sees(call, path)]
    return Page(seen, lambda path: shapes.group(call.state, path))


def _sees(call: Call, path: str) -> bool:
    return call.actor.login in all_members(call.state, path)


def _group(call: Call, group: str) -> str:
    path = find_group(call.state, group)[1]
    if not _sees(call, path) and not any(repo.owner == path for repo in call.state.visible(call.actor)):
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return path


def get_group(call: Call, group: str) -> Result:
    """``GET /groups/:id``."""
    return shapes.group(call.state, _group(call, group))


def subgroups(call: Call, group: str) -> Result:
    """``GET /groups/:id/subgroups``."""
    path = _group(call, group)
    below = [one for _, one, _ in groups(call.state) if one.rpartition("/")[0] == path]
    return Page(below, lambda one: shapes.group(call.state, one))


def _people(call: Call, members: dict[str, Role]) -> Result:
    wanted = (call.text("query") or "").lower()
    ids = call.words("user_ids")
    rows = [
        (login, role)
        for login, role in sorted(members.items())
        if wanted in login.lower() and (ids is None or str(call.state.account(login).id) in ids)
    ]
    return Page(rows, lambda row: shapes.member(call.state, row[0], shapes.level(row[1])))


def _one(call: Call, members: dict[str, Role], user_id: int) -> Result:
    login = call.login_of(user_id)
    if login not in members:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return shapes.member(call.state, login, shapes.level(members[login]))


def group_members(call: Call, group: str) -> Result:
    """``GET /groups/:id/members``."""
    return _people(call, direct_members(call.state, _group(call, group)))


def group_members_all(call: Call, group: str) -> Result:
    """``GET /groups/:id/members/all``."""
    return _people(call, all_members(call.state, _group(call, group)))


def group_member(call: Call, group: str, user_id: int) -> Result:
    """``GET /groups/:id/members/:user_id``."""
    return _one(call, direct_members(call.state, _group(call, group)), user_id)


def group_member_all(call: Call, group: str, user_id: int) -> Result:
    """``GET /groups/:id/members/all/:user_id``."""
    return _one(call, all_members(call.state, _group(call, group)), user_id)


def effective(state: State, repo: Repo) -> dict[str, Role]:
    """Everybody with a role in a project, by whatever way; a public one gives nobody a membership."""
    found: dict[str, Role] = {}
    for login, account in state.accounts.items():
        if account.kind is not AccountKind.ORGANIZATION:
            role = state.role(repo, Actor(login))
            if role > (Role.NONE if repo.private else Role.READ) or login in repo.roles:
                found[login] = role
    return found


def project_members(call: Call) -> Result:
    """``GET /projects/:id/members``: direct ones only."""
    return _people(call, {login: role for login, role in call.repo.roles.items() if role > Role.NONE})


def project_members_all(call: Call) -> Result:
    """``GET /projects/:id/members/all``: with those who come by groups and invitations."""
    return _people(call, effective(call.state, call.repo))


def project_member(call: Call, user_id: int) -> Result:
    """``GET /projects/:id/members/:user_id``."""
    return _one(call, {login: role for login, role in call.repo.roles.items() if role > Role.NONE}, user_id)


def project_member_all(call: Call, user_id: int) -> Result:
    """``GET /projects/:id/members/all/:user_id``."""
    return _one(call, effective(call.state, call.repo), user_id)


def add_member(call: Call) -> Result:
    """``POST /projects/:id/members``."""
    login = call.login_of(int(call.need("user_id")))
    call.repo.roles[login] = shapes.role_of(int(call.need("access_level")))
    call.state.version += 1
    return Answer(shapes.member(call.state, login, shapes.level(call.repo.roles[login])), 201)


def remove_member(call: Call, user_id: int) -> Result:
    """``DELETE /projects/:id/members/:user_id``."""
    if call.repo.roles.pop(call.login_of(user_id), None) is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return Answer(None, 204)


ROUTES = (
    Route("GET", "version", version),
    Route("GET", "metadata", metadata),
    Route("GET", "user", me),
    Route("GET", "personal_access_tokens/self", token_self),
    Route("GET", "users", users),
    Route("GET", "users/<int:user_id>", user),
    Route("GET", "groups", list_groups),
    Route("GET", "groups/<group>", get_group),
    Route("GET", "groups/<group>/subgroups", subgroups),
    Route("GET", "groups/<group>/members", group_members),
    Route("GET", "groups/<group>/members/all", group_members_all),
    Route("GET", "groups/<group>/members/<int:user_id>", group_member),
    Route("GET", "groups/<group>/members/all/<int:user_id>", group_member_all),
    Route("GET", "projects/<id>/members", project_members),
    Route("POST", "projects/<id>/members", add_member, Role.MAINTAIN),
    Route("GET", "projects/<id>/members/all", project_members_all),
    Route("GET", "projects/<id>/members/<int:user_id>", project_member),
    Route("DELETE", "projects/<id>/members/<int:user_id>", remove_member, Role.MAINTAIN),
    Route("GET", "projects/<id>/members/all/<int:user_id>", project_member_all),
)
