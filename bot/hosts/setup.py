"""What set-up and doctor say of any host: steps that may be taken, and what was found. Nothing is done by looking."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.core.model import RepoRef


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing to set up on a host. ``what`` it is, ``detail`` what will be different, line by line.

    ``act`` does it and may be repeated; None when it is already as it should be. It raises HostError.
    """

    what: str
    detail: tuple[str, ...] = ()
    act: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    @property
    def done(self) -> bool:
        """Whether there is nothing to do."""
        return self.act is None

    def __str__(self) -> str:
        return "\n".join([f"{'=' if self.done else '+'} {self.what}", *(f"    {line}" for line in self.detail)])


class Level(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that doctor found. ``remedy`` is a command or a sentence; empty when nothing is to be done."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def renamed(repo: RepoRef, name: str) -> Iterator[Finding]:
    """Deliveries bear the present name, and the settings must, too."""
    if name.lower() != repo.path.lower():
        text = f"it is called {name} now, so its webhooks are not recognised"
        yield Finding(Level.PROBLEM, repo.path, text, f"Write {repo.host}/{name} in the settings.")


def archived(repo: RepoRef, shown: Mapping[str, Any]) -> Iterator[Finding]:
    """All hosts say it in the same word."""
    if shown.get("archived") is True:
        yield Finding(Level.PROBLEM, repo.path, "it is archived: nothing can be written there")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a repository should be set up.

    ``branches`` are those whose gate must hold (empty: the default branch), ``checks`` the names to require there
    (none: the branches are left alone), ``url`` where webhooks go (empty: none is wanted, the host is polled).
    ``external`` is whether the host shall ask us before each merge, where it can do so itself; ``ruleset`` whether
    the checks are required by a ruleset of ours, where it has those, in place of each branch's own protection.
    """

    branches: tuple[str, ...] = ()
    checks: tuple[str, ...] = ("headgate/gate",)
    url: str = ""
    external: bool = False
    ruleset: bool = False


class SetsUp(Protocol):
    """A host that can be set up and examined."""

    def plan_setup(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """What is to be done, and what is done already; changes nothing. Raises HostError."""
        ...

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """The same for one webhook of a group or organisation, which tells of all its repositories."""
        ...

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What stands in the way of working well; changes nothing. Raises HostBusy at most."""
        ...


def apply(steps: tuple[SetupStep, ...]) -> int:
    """Take the steps that are left, in order; how many there were. Raises HostError at the first that fails."""
    left = [step.act for step in steps if step.act is not None]
    for act in left:
        act()
    return len(left)
