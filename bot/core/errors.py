"""Errors, split by what the caller should do next.

::

    HeadgateError
    ├── ConfigError       shown to the person who wrote the configuration; never retried
    ├── SignatureError    a delivery that is not from the host: 401
    ├── MalformedDelivery a delivery that cannot be understood: 400
    ├── HostError         the Git host
    │   ├── HostBusy      try again after ``retry_after`` seconds (limits, 5xx, lost connections)
    │   ├── HostDenied    the host refuses and will go on refusing until somebody acts
    │   │   ├── TooLarge  what it has is larger than is read
    │   │   ├── Renamed   the repository has another name now
    │   │   └── ShutOut   nothing of an owner or a repository goes on, until somebody acts
    │   ├── HostGone      the thing asked for is not there
    │   └── HostUnclear   nobody knows whether the write happened: read back, never blindly repeat
    ├── ToolError         a tool of infrastructure
    │   ├── ToolFailed    it ran and said no (``diagnostics``)
    │   ├── ToolTimeout   it was stopped at its time limit
    │   └── ToolMissing   its binary is not here, or the wrong version
    ├── NoCredentials     what a step is granted cannot be had
    ├── StoreConflict     somebody else wrote first: read again
    ├── StoreDown         the store cannot be reached
    ├── KeyMismatch       stored artifacts were encrypted with another key
    └── BadTransition     a run cannot go from here to there
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.model import Home, RepoRef


class HeadgateError(Exception):
    """Root of everything Headgate raises on purpose; its text is safe to show (no secrets)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration file: what, where and what to do.

    ``line`` counts from 1; 0 when the problem belongs to the whole file.
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigError(HeadgateError):
    """A configuration cannot be used; every problem is listed at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SignatureError(HeadgateError):
    """A delivery's signature is missing or wrong."""


class MalformedDelivery(HeadgateError):
    """A correctly signed delivery whose body cannot be read."""


class HostError(HeadgateError):
    """Something the Git host did or said."""


class HostBusy(HostError):
    """Worth trying again after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float = 30.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class HostDenied(HostError):
    """Refused until somebody changes something on the host."""


class TooLarge(HostDenied):
    """Larger than is read; nothing of it was."""


class ShutOut(HostDenied):
    """Nothing goes on in all repositories of an owner, or in one: ``place`` is the path of either.

    ``remedy`` is what somebody has to do about it; ``remembered`` when the host was not asked, as it said so a moment
    ago.
    """

    def __init__(self, message: str, place: str, remedy: str, *, remembered: bool = False) -> None:
        super().__init__(message)
        self.place = place
        self.remedy = remedy
        self.remembered = remembered


class Renamed(HostDenied):
    """The repository is not called any more as it was asked for; ``home`` is where it is now."""

    def __init__(self, asked: RepoRef, home: Home) -> None:
        super().__init__(f"{asked.path} is called {home.repo.path} now")
        self.home = home


class HostGone(HostError):
    """Not there (any more)."""


class HostUnclear(HostError):
    """A write whose outcome is unknown."""


class ToolError(HeadgateError):
    """Something a tool did or said."""


class ToolFailed(ToolError):
    """The tool ran and failed; ``diagnostics`` are redacted lines for people."""

    def __init__(self, message: str, diagnostics: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class ToolTimeout(ToolError):
    """The tool was stopped at its time limit."""


class ToolKilled(ToolError):
    """Something else killed the command (SIGKILL): what it did until then is unknown, and it did not fail."""


class ToolMissing(ToolError):
    """The tool's binary is not here, or not in the wanted version."""


class NoCredentials(HeadgateError):
    """What the operator granted to a step cannot be had; says which setting, never a value, an output or a path."""


class StoreConflict(HeadgateError):
    """Somebody else wrote first; read again and decide again."""


class StoreDown(HeadgateError):
    """The store cannot be reached."""


class KeyMismatch(HeadgateError):
    """The artifact key at hand is not the one the store was written with."""


class BadTransition(HeadgateError):
    """A run was asked to move along an edge that its table does not have."""
