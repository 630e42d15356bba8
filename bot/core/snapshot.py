"""Everything a decision may look at, as one value: facts of the host, the mirror, the store, and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.effectset import EffectSet
from bot.core.group import Group
from bot.core.model import Change, ChangeRef, ChangeState, HostFacts, Permission
from bot.core.policy.ground import Ground
from bot.core.project import Selection
from bot.core.record import GateRecord, InLine, Intent, Judgement, Memory, Request, Verb
from bot.core.rules import Environment, Limits, RepoRules
from bot.core.runs import Run, RunKind


@dataclass(frozen=True, slots=True)
class TargetFact:
    """What stands on a target, seen from this change.

    ``deployed_repo`` and ``deployed_environment`` say whose deploy stands there; the latter is None when that is not
    known (nothing was deployed, or before Headgate kept it). ``ahead`` are intents of earlier merges that still wait
    or run; ``inherited`` what earlier merges left undeployed (this change's plan contains it, and approvals must
    postdate it); ``behind`` are those of later merges, not yet deployed. ``moved_at`` is when a deploy last ended
    there, ``deploying`` that one runs now: plans from before, or from in between, show what is past.
    """

    target: str
    deployed_sha: str = ""
    deployed_order: int = 0
    deployed_repo: str = ""
    deployed_environment: str | None = None
    locked_by: str = ""
    locked_since: datetime | None = None
    moved_at: datetime | None = None
    deploying: bool = False
    ahead: tuple[Intent, ...] = ()
    inherited: tuple[Intent, ...] = ()
    behind: tuple[Intent, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """How many plans an author or a repository started of late, and how many it may: ``limits.plans_per_…``.

    ``next_at`` is when one more may start; it means something once ``used`` has come to ``limit``.
    """

    setting: str
    whose: str
    used: int
    limit: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class MergeFact:
    """How the host's merge looks on the target branch itself, read in the mirror.

    ``order`` is 0 while the commit is not on the first-parent line of the target branch. ``held_by`` are bases of
    this change's gate records that hold the merge already: a host that told the merge late let them be judged.
    """

    sha: str
    first_parent: str
    tree: str
    order: int
    mechanical: bool
    rules_digest: str
    held_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One change at one moment. ``memory.host`` and ``memory.selection`` are present once the host was read.

    ``sets`` holds every effect set named by a fingerprint that a decision may need. ``rival`` maps a project's
    name to other open changes on the same target. ``paused`` is the operator's reason, empty when not paused.
    ``bot`` is our own login on the host; ``link`` the URL of this change's page, empty
    where nothing serves it.
    """

    now: datetime
    ref: ChangeRef
    rules: RepoRules
    environments: Mapping[str, Environment]
    limits: Limits
    memory: Memory
    runs: tuple[Run, ...] = ()
    sets: Mapping[str, EffectSet] = field(default_factory=dict)
    targets: Mapping[str, TargetFact] = field(default_factory=dict)
    merge: MergeFact | None = None
    group: Group | None = None
    """What the host's merge queue would merge, while it asks."""
    intents: tuple[Intent, ...] = ()
    """This change's own claims on targets, written when its merge was recorded."""
    rivals: Mapping[str, tuple[ChangeRef, ...]] = field(default_factory=dict)
    stray: tuple[str, ...] = ()
    """Direct pushes to the target branch that no change explains, oldest first, as sentences."""
    people: Mapping[str, Permission] = field(default_factory=dict)
    """Who has which permission in the repository, as far as the host lets us list them (lower-cased login)."""
    ground: Ground | None = Ground()
    """What policies compare with beside the host's facts; None where it was not read: then what they came to when it
    last was is remembered."""
    quotas: tuple[Quota, ...] = ()
    """What this change's author and repository have used of their shares; empty where none is limited."""
    frozen: str = ""
    """Why deploys from the target branch are frozen (it was rewritten); empty when they are not."""
    paused: str = ""
    bot: str = ""
    link: str = ""
    instance: str = "headgate"
    comment_limit: int = 65536
    review_has_sha: bool = True
    required_by_name: bool = True
    """Whether the host holds a merge back until our check is green; else only we may merge."""
    slash_commands: bool = True
    """Whether a line that begins with a slash reaches us."""
    mark: str = "#"
    """What stands before a change's number on this host."""
    line: str = "merge queue"
    """What the host calls its own line of merges."""

    @property
    def host(self) -> HostFacts:
        """The host's facts; only valid once they were read."""
        if self.memory.host is None:
            raise ValueError("the host was not read yet")
        return self.memory.host

    def called(self, number: int) -> str:
        """A change as people of this host write it."""
        return f"{self.mark}{number}"

    @property
    def change(self) -> Change:
        return self.host.change

    @property
    def selection(self) -> Selection:
        """What the change concerns; an incomplete one (nothing known, nothing green) until it was computed."""
        return self.memory.selection or Selection("", "", complete=False)

    @property
    def fresh(self) -> bool:
        """The selection belongs to the change's present head."""
        return self.selection.complete and self.selection.head == self.change.head_sha

    @property
    def in_line(self) -> bool:
        """This very commit stands in the host's own line of merges, put there by us."""
        line = self._line()
        return line is not None and line.gone_at is None

    @property
    def left_line(self) -> InLine | None:
        """How this very commit left that line without being merged; None when it did not, or stands there again."""
        line = self._line()
        return line if line is not None and line.gone_at is not None else None

    def _line(self) -> InLine | None:
        line = self.memory.line
        here = self.change.state is ChangeState.OPEN and line is not None and line.head == self.change.head_sha
        return line if here else None

    def permission_of(self, login: str) -> Permission:
        """What we know a person may do; NONE for somebody unknown."""
        known = self.host.permissions.get(login.lower())
        return known if known is not None else self.people.get(login.lower(), Permission.NONE)

    def merges_asked(self, judgement: Judgement) -> tuple[Request, ...]:
        """Words of that standing that ask us to merge this very commit, oldest first."""
        return tuple(
            request
            for request in self.memory.requests
            if request.command is not None
            and request.command.verb is Verb.MERGE
            and request.judgement is judgement
            and request.head == self.change.head_sha
        )

    def environment(self, name: str) -> Environment:
        return self.environments.get(name) or Environment(name)

    def plan_of(self, project: str, digest: str) -> Run | None:
        """The newest plan run of a project for exactly these inputs."""
        return next(
            (
                run
                for run in reversed(self.runs)
                if run.kind is RunKind.PLAN and run.project.name == project and run.digest == digest
            ),
            None,
        )

    def deploys_of(self, project: str) -> tuple[Run, ...]:
        """Deploy runs of a project for this change, oldest first."""
        return tuple(run for run in self.runs if run.kind is RunKind.DEPLOY and run.project.name == project)

    def standing_record(self) -> GateRecord | None:
        """The gate record that is open now, if one is."""
        return next((record for record in reversed(self.memory.records) if record.closed_at is None), None)
