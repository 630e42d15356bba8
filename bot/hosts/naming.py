"""Repositories by the number that hosts give them: names change hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bot.core.errors import Renamed
from bot.core.model import Home, RepoRef
from bot.hosts import shapes
from bot.hosts.fields import some


def home(host: str, shown: Mapping[str, Any], name: str) -> Home | None:
    """A repository by its number, ``id``, and the field that is its whole name; None for what tells of none."""
    number, path = shown.get("id"), shown.get(name)
    if not isinstance(number, int) or not isinstance(path, str) or not shapes.PROJECT.fullmatch(path):
        return None
    return Home(RepoRef(host, path), str(number))


def still(repo: RepoRef, found: Home | None) -> Home | None:
    """Where it was found, if that is where it was asked for, whatever letters are large or small. Raises Renamed."""
    if found is not None and found.repo.path.lower() != repo.path.lower():
        raise Renamed(repo, found)
    return found


def told(host: str, body: bytes, field: str, name: str) -> Home | None:
    """The repository that a webhook has in a field; None for what tells of none, and for what is no JSON object."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(field)
        shown = msgspec.json.decode(raw) if raw is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return home(host, some(shown), name)
