"""Users, members and groups as GitLab's JSON."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from bot.forge.groups import find_group
from bot.forge.model import Account, AccountKind, Role
from bot.forge.state import State

Json = dict[str, Any]

_LEVELS = {Role.NONE: 5, Role.READ: 20, Role.TRIAGE: 20, Role.WRITE: 30, Role.MAINTAIN: 40, Role.ADMIN: 50}


def level(role: Role) -> int:
    """GitLab's number for a role."""
    return _LEVELS[role]


def role_of(number: int) -> Role:
    """The role behind GitLab's number; 10 guest, 15 planner, 20 reporter and 25 security manager may only read."""
    for low, role in ((50, Role.ADMIN), (40, Role.MAINTAIN), (30, Role.WRITE), (10, Role.READ)):
        if number >= low:
            return role
    return Role.NONE


def moment(at: datetime | None) -> str | None:
    """A time as GitLab's API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z") if at is not None else None


def username(login: str) -> str:
    """A login in the letters that GitLab takes; names of applications lose their brackets."""
    return re.sub(r"[^\w./-]", "-", login).rstrip("-")


def basic(state: State, login: str | None) -> Json | None:
    """A short user; None for nobody."""
    if login is None or login not in state.accounts:
        return None
    who = state.accounts[login]
    return {
        "id": who.id,
        "username": username(who.login),
        "public_email": None,
        "name": who.name,
        "state": "active",
        "locked": False,
        "avatar_url": f"{state.root}/-/avatar/{who.id}",
        "web_url": f"{state.root}/{username(who.login)}",
    }


def user(state: State, who: Account) -> Json:
    """A user as anybody sees one."""
    short = basic(state, who.login) or {}
    return short | {
        "created_at": moment(who.created_at),
        "bio": "",
        "location": "",
        "linkedin": "",
        "twitter": "",
        "website_url": "",
        "organization": "",
        "job_title": "",
        "bot": who.kind is AccountKind.BOT,
        "followers": 0,
        "following": 0,
    }


def current_user(state: State, who: Account) -> Json:
    """A user as they see themselves."""
    return user(state, who) | {
        "email": who.email,
        "commit_email": who.email,
        "external": False,
        "private_profile": False,
        "two_factor_enabled": False,
        "can_create_group": True,
        "can_create_project": True,
        "identities": [],
        "projects_limit": 100000,
        "current_sign_in_at": None,
        "last_sign_in_at": None,
        "confirmed_at": moment(who.created_at),
        "last_activity_on": None,
        "theme_id": 1,
        "color_scheme_id": 1,
    }


def member(state: State, login: str, access: int) -> Json:
    """Somebody in a project or group."""
    short = basic(state, login) or {}
    joined = moment(state.accounts[login].created_at)
    return short | {
        "access_level": access,
        "created_at": joined,
        "expires_at": None,
        "membership_state": "active",
    }


def group(state: State, path: str) -> Json:
    """A group, or a team seen as one."""
    number, full, name = find_group(state, path)
    parent = full.rpartition("/")[0]
    return {
        "id": number,
        "web_url": f"{state.root}/groups/{full}",
        "name": name,
        "path": full.rpartition("/")[2],
        "description": "",
        "visibility": "private",
        "share_with_group_lock": False,
        "require_two_factor_authentication": False,
        "project_creation_level": "developer",
        "subgroup_creation_level": "maintainer",
        "lfs_enabled": True,
        "request_access_enabled": True,
        "full_name": full.replace("/", " / "),
        "full_path": full,
        "parent_id": find_group(state, parent)[0] if parent else None,
        "avatar_url": None,
        "created_at": moment(state.accounts[full].created_at) if full in state.accounts else None,
    }


def namespace(state: State, path: str) -> Json:
    """Whom a project belongs to."""
    account = state.accounts[path]
    grouped = account.kind is AccountKind.ORGANIZATION
    parent = path.rpartition("/")[0]
    return {
        "id": account.id,
        "name": account.name,
        "path": path.rpartition("/")[2],
        "kind": "group" if grouped else "user",
        "full_path": path,
        "parent_id": state.accounts[parent].id if parent else None,
        "avatar_url": None if grouped else f"{state.root}/-/avatar/{account.id}",
        "web_url": f"{state.root}/groups/{path}" if grouped else f"{state.root}/{path}",
    }
