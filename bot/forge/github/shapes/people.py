"""Accounts, organizations, teams, applications and installations as GitHub's JSON."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from bot.forge.model import Account, AccountKind, App, Installation, Role, Team
from bot.forge.state import State

Json = dict[str, Any]


def api(state: State) -> str:
    """The address under which the API answers."""
    return f"{state.root}/api/v3"


def moment(at: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else None


def node_id(kind: str, number: int) -> str:
    """An opaque id, as stable as the number."""
    return f"{kind}_{hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()[:16]}"


def user(state: State, login: str | None) -> Json | None:
    """A short account; None for nobody and for accounts that are gone."""
    if login is None or login not in state.accounts:
        return None
    return account(state, state.accounts[login])


def account(state: State, who: Account) -> Json:
    """A short account."""
    url = f"{api(state)}/users/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node_id("U", who.id),
        "avatar_url": f"{state.root}/-/avatar/{who.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{state.root}/{who.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": who.kind.value,
        "site_admin": False,
    }


def full_account(state: State, who: Account, private: bool = False) -> Json:
    """A whole account; ``private`` adds what only its owner sees."""
    shape: Json = {
        **account(state, who),
        "name": who.name,
        "company": None,
        "blog": None,
        "location": None,
        "email": who.email,
        "hireable": None,
        "bio": None,
        "public_repos": sum(repo.owner == who.login for repo in state.repos.values()),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": moment(who.created_at),
        "updated_at": moment(who.created_at),
    }
    if private:
        numbers = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
        shape |= dict.fromkeys(numbers, 0)
        shape["two_factor_authentication"] = True
    return shape


def organization(state: State, who: Account) -> Json:
    """A short organization."""
    url = f"{api(state)}/orgs/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node_id("O", who.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{state.root}/-/avatar/{who.id}",
        "description": None,
    }


def full_organization(state: State, who: Account) -> Json:
    """A whole organization."""
    return {
        **organization(state, who),
        "name": who.name,
        "html_url": f"{state.root}/{who.login}",
        "has_organization_projects": False,
        "has_repository_projects": False,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "type": AccountKind.ORGANIZATION.value,
        "created_at": moment(who.created_at),
        "updated_at": moment(who.created_at),
        "archived_at": None,
    }


def team(state: State, which: Team) -> Json:
    """A team, with its parent."""
    parent = state.teams.get((which.org, which.parent)) if which.parent else None
    return {**team_simple(state, which), "parent": team_simple(state, parent) if parent else None}


def team_simple(state: State, which: Team) -> Json:
    """A team without its parent."""
    org = state.accounts[which.org]
    url = f"{api(state)}/orgs/{which.org}/teams/{which.slug}"
    return {
        "id": which.id,
        "node_id": node_id("T", which.id),
        "name": which.name,
        "slug": which.slug,
        "description": None,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "url": url,
        "html_url": f"{state.root}/orgs/{which.org}/teams/{which.slug}",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "type": "organization",
        "organization_id": org.id,
    }


def app(state: State, which: App) -> Json:
    """A registered application."""
    return {
        "id": which.id,
        "slug": which.slug,
        "client_id": f"Iv1.{which.id:016x}",
        "node_id": node_id("A", which.id),
        "owner": user(state, which.owner),
        "name": which.slug,
        "description": None,
        "external_url": f"{state.root}/apps/{which.slug}",
        "html_url": f"{state.root}/apps/{which.slug}",
        "created_at": moment(which.created_at),
        "updated_at": moment(which.created_at),
        "permissions": which.permissions,
        "events": list(which.events),
    }


def _settings_of(owner: Account) -> str:
    return f"/organizations/{owner.login}/settings" if owner.kind is AccountKind.ORGANIZATION else "/settings"


def installation(state: State, which: Installation) -> Json:
    """An application installed on an account."""
    owner = state.accounts[which.account]
    used = state.apps[which.app_id]
    return {
        "id": which.id,
        "account": account(state, owner),
        "repository_selection": "all" if which.repositories is None else "selected",
        "access_tokens_url": f"{api(state)}/app/installations/{which.id}/access_tokens",
        "repositories_url": f"{api(state)}/installation/repositories",
        "html_url": f"{state.root}{_settings_of(owner)}/installations/{which.id}",
        "app_id": used.id,
        "app_slug": used.slug,
        "target_id": owner.id,
        "target_type": owner.kind.value,
        "permissions": used.permissions,
        "events": list(used.events),
        "created_at": moment(which.created_at),
        "updated_at": moment(which.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(state, which.suspended_by) if which.suspended_by else None,
        "suspended_at": moment(which.suspended_at) if which.suspended_at else None,
    }


def permissions(role: Role) -> dict[str, bool]:
    """A role as the five flags GitHub shows."""
    return {
        "admin": role >= Role.ADMIN,
        "maintain": role >= Role.MAINTAIN,
        "push": role >= Role.WRITE,
        "triage": role >= Role.TRIAGE,
        "pull": role >= Role.READ,
    }
