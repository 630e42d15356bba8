"""Who am I, who is that, who belongs to what, and how much of my limit is left."""

from __future__ import annotations

from datetime import datetime

from bot.forge.github.call import Call, Page, Result, Route
from bot.forge.github.shapes import people, repository
from bot.forge.model import AccountKind, Actor, Refusal, Refused, Role, Team


def me(call: Call) -> Result:
    """``GET /user``."""
    return people.full_account(call.state, call.state.account(call.actor.login), private=True)


def one_user(call: Call, login: str) -> Result:
    """``GET /users/{login}``."""
    return people.full_account(call.state, call.state.account(login))


def one_org(call: Call, org: str) -> Result:
    """``GET /orgs/{org}``."""
    found = call.state.account(org)
    if found.kind is not AccountKind.ORGANIZATION:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return people.full_organization(call.state, found)


def org_membership(call: Call, org: str, login: str) -> Result:
    """``GET /orgs/{org}/memberships/{login}``."""
    found, who = call.state.account(org), call.state.account(login)
    role = call.state.members.get(found.login, {}).get(who.login)
    if role is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    url = f"{people.api(call.state)}/orgs/{found.login}"
    return {
        "url": f"{url}/memberships/{who.login}",
        "state": "active",
        "role": role,
        "organization_url": url,
        "organization": people.organization(call.state, found),
        "user": people.account(call.state, who),
    }


def org_teams(call: Call, org: str) -> Result:
    """``GET /orgs/{org}/teams``."""
    found = call.state.account(org)
    mine = [team for team in call.state.teams.values() if team.org == found.login]
    return Page(mine, lambda team: people.team(call.state, team))


def one_team(call: Call, org: str, slug: str) -> Result:
    """``GET /orgs/{org}/teams/{slug}``."""
    team = call.state.team(org, slug)
    numbers = {
        "members_count": len(call.state.team_members(team)),
        "repos_count": sum(slug in repo.team_roles for repo in call.state.repos.values()),
        "created_at": people.moment(call.state.account(org).created_at),
        "updated_at": people.moment(call.state.account(org).created_at),
        "organization": people.full_organization(call.state, call.state.account(org)),
    }
    return people.team(call.state, team) | numbers


def team_people(call: Call, org: str, slug: str) -> Result:
    """``GET /orgs/{org}/teams/{slug}/members``."""
    members = sorted(call.state.team_members(call.state.team(org, slug)))
    return Page(members, lambda login: people.user(call.state, login))


def org_people(call: Call, org: str) -> Result:
    """``GET /orgs/{org}/members``: all of them for a member, for others the public ones, of which there are none."""
    found = call.state.account(org)
    members = call.state.members.get(found.login, {})
    shown = sorted(members) if call.actor.login in members or call.actor.app_id else []
    return Page(shown, lambda login: people.user(call.state, login))


def team_membership(call: Call, org: str, slug: str, login: str) -> Result:
    """``GET /orgs/{org}/teams/{slug}/memberships/{login}``."""
    team: Team = call.state.team(org, slug)
    who = call.state.account(login)
    if who.login not in call.state.team_members(team):
        raise Refused("Not Found", Refusal.NOT_FOUND)
    url = f"{people.api(call.state)}/orgs/{team.org}/teams/{team.slug}"
    return {"url": f"{url}/memberships/{who.login}", "role": "member", "state": "active"}


def my_repos(call: Call) -> Result:
    """``GET /user/repos``: what is one's own, or shared with one."""
    return Page(call.state.joined(call.actor), lambda repo: repository.repository(call.state, repo, call.actor))


def repos_of(call: Call, login: str) -> Result:
    """``GET /users/{login}/repos``."""
    owner = call.state.account(login).login
    mine = [repo for repo in call.state.visible(call.actor) if repo.owner == owner]
    return Page(mine, lambda repo: repository.repository(call.state, repo, call.actor))


def permission(call: Call, login: str) -> Result:
    """``GET /repos/{owner}/{name}/collaborators/{login}/permission``."""
    who = call.state.account(login)
    role = call.state.role(call.repo, Actor(who.login))
    legacy = {Role.MAINTAIN: "write", Role.TRIAGE: "read"}.get(role, role.word)
    user = people.account(call.state, who) | {"permissions": people.permissions(role), "role_name": role.word}
    return {"permission": legacy, "role_name": role.word, "user": user}


def collaborators(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/collaborators``."""
    roles = {login: call.state.role(call.repo, Actor(login)) for login in call.state.accounts}
    held = [login for login, role in roles.items() if role > Role.NONE]

    def show(login: str) -> people.Json:
        flags = {"permissions": people.permissions(roles[login]), "role_name": roles[login].word}
        return people.account(call.state, call.state.account(login)) | flags

    return Page([who for who in held if call.state.account(who).kind is not AccountKind.ORGANIZATION], show)


def rate_limit(call: Call) -> Result:
    """``GET /rate_limit``."""
    used = call.state.trouble.used(call.actor.login)
    limit, reset = call.state.trouble.rate_limit, next_hour(call.state.now())
    core = {"limit": limit, "used": used, "remaining": max(0, limit - used), "reset": reset}
    search = {"limit": 30, "used": 0, "remaining": 30, "reset": reset}
    return {"resources": {"core": core, "search": search}, "rate": core}


def next_hour(now: datetime) -> int:
    """When limits start anew, in seconds since the epoch."""
    return (int(now.timestamp()) // 3600 + 1) * 3600


ROUTES = (
    Route("GET", "/user", me),
    Route("GET", "/users/<login>", one_user),
    Route("GET", "/orgs/<org>", one_org),
    Route("GET", "/orgs/<org>/members", org_people),
    Route("GET", "/orgs/<org>/memberships/<login>", org_membership),
    Route("GET", "/orgs/<org>/teams", org_teams),
    Route("GET", "/orgs/<org>/teams/<slug>", one_team),
    Route("GET", "/orgs/<org>/teams/<slug>/members", team_people),
    Route("GET", "/orgs/<org>/teams/<slug>/memberships/<login>", team_membership),
    Route("GET", "/user/repos", my_repos),
    Route("GET", "/users/<login>/repos", repos_of),
    Route("GET", "/orgs/<login>/repos", repos_of),
    Route("GET", "/rate_limit", rate_limit),
    Route("GET", "/repos/<owner>/<name>/collaborators", collaborators, Role.WRITE),
    Route("GET", "/repos/<owner>/<name>/collaborators/<login>/permission", permission, Role.READ),
)
