"""A host filled from a file: people, organizations, teams and repositories, so that it can run on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bot.forge.server import Forge


def plant(forge: Forge, path: Path) -> None:
    """Fill a host from a YAML or JSON file. Raises ValueError naming what is wrong with it.

    Keys: ``users`` {login: token}, ``orgs`` {login: {owners, members}}, ``teams`` {org/slug: [login]}, ``groups``
    {path/of/group: {login: role}},
    ``repositories`` {owner/name: {permissions: {who: role}, files: {path: text}, checks: [context]}}.
    """
    wish = yaml.safe_load(path.read_text())
    if not isinstance(wish, dict):
        raise ValueError(f"{path}: a mapping is needed at the top")
    unknown = sorted(set(wish) - {"users", "orgs", "groups", "teams", "repositories"})
    if unknown:
        raise ValueError(f"{path}: unknown key {', '.join(unknown)}")
    for login, token in _mapping(path, wish, "users").items():
        forge.add_user(str(login), str(token) if token else None)
    for login, org in _mapping(path, wish, "orgs").items():
        forge.add_org(login, tuple(org.get("owners", ())), tuple(org.get("members", ())))
    for group, people in _mapping(path, wish, "groups").items():
        forge.add_group(group, people)
    for team, people in _mapping(path, wish, "teams").items():
        forge.add_team(team, *people)
    for name, repo in _mapping(path, wish, "repositories").items():
        made = forge.create_repo(name, repo.get("files") or {}, repo.get("permissions") or {})
        if repo.get("checks"):
            made.protect(checks=tuple(repo["checks"]))


def _mapping(path: Path, wish: dict[str, Any], key: str) -> dict[str, Any]:
    found = wish.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path}: {key} must be a mapping")
    return found
