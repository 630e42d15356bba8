"""Credentials: what the operator granted to a step, at the moment that one run needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.core.identity import Bearer
from bot.core.redaction import Redactor
from bot.core.rules import Grant


@dataclass(frozen=True, slots=True)
class Given:
    """Variables that came in one form, by name; anybody may know that. ``until`` is when they stop working."""

    form: str
    names: tuple[str, ...]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A grant with its secrets: the variables to set, and what they are for people."""

    env: Mapping[str, str] = field(default_factory=dict)
    given: tuple[Given, ...] = ()


class Granter(Protocol):
    """Turns a grant into credentials."""

    def __call__(self, grant: Grant, bearer: Bearer, folder: Path, redactor: Redactor, lasts: float) -> Credentials:
        """All of it, or NoCredentials. Private files are made in ``folder``, which is there and empty; every secret
        is told to ``redactor`` before it is put anywhere. The step takes at most ``lasts`` seconds."""
        ...
