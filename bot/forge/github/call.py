"""What an endpoint is given and what it may answer; nothing of HTTP beyond this reaches the endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.forge.github.shapes.people import Json
from bot.forge.model import Actor, App, Refused, Repo, Role
from bot.forge.state import State


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request. ``app`` is set when an application signed in with its own key."""

    state: State
    actor: Actor
    body: Mapping[str, Any]
    query: Mapping[str, str]
    app: App | None = None
    target: Repo | None = None

    @property
    def repo(self) -> Repo:
        """The repository that the path names."""
        assert self.target is not None, "only routes with a role have a repository"
        return self.target

    def text(self, name: str) -> str | None:
        """A text of the body, None when absent. Raises Refused for another type."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(f"For 'properties/{name}', {value!r} is not a string.")
        return value

    def need(self, name: str) -> str:
        """A text the body must have. Raises Refused without it."""
        value = self.text(name)
        if value is None:
            raise Refused(f'Invalid request. "{name}" wasn\'t supplied.')
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no of the body. Raises Refused for another type."""
        value = self.body.get(name, default)
        if value is not None and not isinstance(value, bool):
            raise Refused(f"For 'properties/{name}', {value!r} is not a boolean.")
        return default if value is None else value

    def texts(self, name: str) -> list[str]:
        """A list of texts of the body. Raises Refused for another type."""
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Refused(f"For 'properties/{name}', {value!r} is not an array of strings.")
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with a status other than 200."""

    body: Json | list[Any] | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A list that is cut into pages; ``wrap`` puts it under a key next to ``total_count``.

    With ``cursor`` the next page is asked for under that name, by the id of the last item seen.
    """

    items: Sequence[Any]
    show: Callable[[Any], Any]
    wrap: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    cursor: str = ""


Result = Json | Answer | Page | list[Any]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. With a role it is about a repository, and the actor needs that role there."""

    method: str
    rule: str
    handler: Callable[..., Result]
    role: Role | None = None
    app_only: bool = False
