"""Projects: what is planned and deployed as one unit, and the layouts they are found in."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.core.errors import Problem
from bot.core.guard.model import Judged


class DeployMode(enum.Enum):
    """When a merged change is deployed."""

    ON_MERGE = "on_merge"
    ON_COMMAND = "on_command"


@dataclass(frozen=True, slots=True)
class Project:
    """Directory + tool + environment (+ workspace and the tool's own options).

    ``path`` is relative to the repository's root, without a trailing slash; ``.`` is the root itself.
    ``environment`` is empty when no grant of the operator covers the path: such a project gets no
    credentials. ``target`` is the identity of what it writes: locked, ordered and inherited from, across
    repositories. ``inputs`` are the paths (files and directories) whose content the plan depends on.
    ``options`` are the tool's, already validated (``var_files``, ``inventory``, ``playbook``, ``run`` …).
    """

    name: str
    path: str
    tool: str
    environment: str = ""
    workspace: str = "default"
    target: str = ""
    deploy: DeployMode = DeployMode.ON_MERGE
    depends_on: tuple[str, ...] = ()
    when_changed: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    line: int = 0
    discovered: bool = False

    def binding(self) -> tuple[str, str, str, str, str, str, tuple[tuple[str, str], ...]]:
        """What the author of a change may not alter unseen: see law 3."""
        return (
            self.tool,
            self.environment,
            self.workspace,
            self.path,
            self.target,
            self.deploy.value,
            tuple(sorted((key, repr(value)) for key, value in self.options.items())),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """All projects of one tree, and what was wrong while finding them. ``problems`` make it unusable."""

    projects: tuple[Project, ...] = ()
    problems: tuple[Problem, ...] = ()

    def named(self, name: str) -> Project | None:
        """The project of that name, or None."""
        return next((project for project in self.projects if project.name == name), None)


class Standing(enum.Enum):
    """How a project of a change relates to the target branch."""

    EXISTING = "existing"
    NEW = "new"
    REMOVED = "removed"
    REBOUND = "rebound"
    """It exists on the target branch with another tool, environment, command, target or deploy mode."""


@dataclass(frozen=True, slots=True)
class Affected:
    """A project that the change concerns, and why.

    ``because`` are sentences for people, at most a few. ``direct`` is False when only a project it depends on
    changed. ``digest`` identifies everything the plan reads from the repository: equal digests, equal inputs.
    For a REBOUND project ``project`` carries the target branch's binding and ``wanted`` the change's.
    """

    project: Project
    standing: Standing
    because: tuple[str, ...] = ()
    digest: str = ""
    direct: bool = True
    wanted: Project | None = None

    def bindings(self) -> tuple[Project, ...]:
        """The binding that is planned; and the one that is wanted, where it is another."""
        return (self.project,) if self.wanted is None else (self.project, self.wanted)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a change (head merged onto base) concerns. Memoised by configuration, base tree and head tree.

    ``commit`` is the synthetic merge of head onto base that plans check out, ``tree`` its tree; both are empty
    when ``conflicts`` names the files that do not merge. ``problems`` stop planning. ``rules_digest`` identifies
    the rules in force on the base: a gate record stands only under the rules it was written under.
    ``guard`` is what the static guard makes of it: a project that it denies is not run.
    ``complete`` is False while discovery could not be finished; nothing is green then (law 16).
    """

    head: str
    base: str
    commit: str = ""
    tree: str = ""
    affected: tuple[Affected, ...] = ()
    conflicts: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    rules_digest: str = ""
    changed_files: int = 0
    complete: bool = True
    guard: tuple[Judged, ...] = ()

    def named(self, name: str) -> Affected | None:
        """The affected project of that name, or None."""
        return next((each for each in self.affected if each.project.name == name), None)
