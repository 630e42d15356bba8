"""What an endpoint of the GitLab face is given and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.forge.gitlab.shapes.people import Json
from bot.forge.model import Actor, Pull, Refusal, Refused, Repo, Role
from bot.forge.pulls import find_pull
from bot.forge.state import State

_LONGEST_DESCRIPTION = 1_048_576
_YES = (True, "true", "1", 1, "yes", "on", "t")
_NO = (False, "false", "0", 0, "no", "off", "f")


class Declined(Exception):
    """GitLab says no with a status and body of its own."""

    def __init__(self, status: int, message: object, key: str = "message") -> None:
        super().__init__(str(message))
        self.status = status
        self.body: Json = {key: message}


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request; ``params`` are those of query and body together, as GitLab takes them."""

    state: State
    actor: Actor
    params: Mapping[str, Any]
    target: Repo | None = None

    @property
    def repo(self) -> Repo:
        """The project that the path names."""
        assert self.target is not None, "only routes below a project have one"
        return self.target

    def pull(self, iid: int) -> Pull:
        """A merge request of the project. Raises Refused when there is none."""
        return find_pull(self.repo, iid)

    def text(self, name: str) -> str | None:
        """A text, None when absent. Raises Declined for another type."""
        value = self.params.get(name)
        if isinstance(value, bool | int | float):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise Declined(400, f"{name} is invalid", "error")
        return value

    def description(self) -> str | None:
        """The description of a merge request, None when absent. Raises Declined beyond its limit of 1 MiB."""
        value = self.text("description")
        if value is not None and len(value) > _LONGEST_DESCRIPTION:
            problem = f"is too long ({len(value)}). The maximum size is {_LONGEST_DESCRIPTION}."
            raise Declined(400, {"description": [problem]})
        return value

    def need(self, name: str) -> str:
        """A text there must be. Raises Declined without it."""
        value = self.text(name)
        if value is None:
            raise Declined(400, f"{name} is missing", "error")
        return value

    def flag(self, name: str) -> bool | None:
        """A yes or no, None when absent. Raises Declined for anything else."""
        value = self.params.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = value.lower()
        if value in _YES:
            return True
        if value in _NO:
            return False
        raise Declined(400, f"{name} is invalid", "error")

    def number(self, name: str) -> int | None:
        """A whole number, None when absent. Raises Declined for anything else."""
        value = self.params.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Declined(400, f"{name} is invalid", "error") from None

    def moment(self, name: str) -> datetime | None:
        """A time, None when absent. Raises Declined for anything else."""
        value = self.text(name)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise Declined(400, f"{name} is invalid", "error") from None
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

    def words(self, name: str) -> list[str] | None:
        """A list, written as one or with commas; None when absent."""
        value = self.params.get(name, self.params.get(f"{name}[]"))
        if value is None:
            return None
        parts = value if isinstance(value, list) else str(value).split(",")
        return [str(part).strip() for part in parts if str(part).strip()]

    def one_of(self, name: str, *allowed: str) -> str | None:
        """A word from a list, None when absent. Raises Declined for any other."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise Declined(400, f"{name} does not have a valid value", "error")
        return value

    def require(self, role: Role) -> None:
        """Raise Refused unless the actor has at least the role in the project."""
        self.state.require(self.repo, self.actor, role)

    def login_of(self, user_id: int) -> str:
        """Somebody by id. Raises Refused when there is none."""
        for account in self.state.accounts.values():
            if account.id == user_id:
                return account.login
        raise Refused("Not Found", Refusal.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with a status other than 200; None is an empty one."""

    body: Json | list[Any] | str | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Page:
    """A list that is cut into pages."""

    items: Sequence[Any]
    show: Callable[[Any], Any]


Result = Json | Answer | Page | list[Any]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint. ``<name>`` in a rule is one segment, ``<int:name>`` a number; ``projects/<id>`` names the project.

    Whoever calls needs at least ``role`` there. What is ``paid`` for is answered with ``unlicensed`` on an instance
    without a licence.
    """

    method: str
    rule: str
    handler: Callable[..., Result]
    role: Role = Role.READ
    paid: bool = False
    unlicensed: int = 404
