"""Ports: what the flow needs of the outside, by role. Adapters implement these and nothing else knows them.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from bot.core.effectset import EffectSet
from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, HostFacts, Permission, RepoRef
from bot.core.project import Project
from bot.core.record import CheckConclusion, Intent, Memory
from bot.core.runs import Failure, Holder, PlanResult, Run, RunKind, Step, Verification

# --------------------------------------------------------------------------------------------- clock


class Clock(Protocol):
    """The time, aware and in UTC."""

    def now(self) -> datetime: ...


# ---------------------------------------------------------------------------------------------- host


class Inbox(Protocol):
    """Turns what a host posts to us into a delivery, and a delivery into hints. No host call is made."""

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook. Raises SignatureError, MalformedDelivery."""
        ...

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What the delivery hints at; never raises (an odd body gives one ``Ignored``)."""
        ...


@dataclass(frozen=True, slots=True)
class ChangeStub:
    """A change in a listing: enough to see that it moved."""

    ref: ChangeRef
    head_sha: str
    updated_at: datetime
    open: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of the host's rate limit; None where it does not say."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None


class Reader(Protocol):
    """Reads of a host. Each raises HostBusy, HostDenied or HostGone, and only those."""

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """All facts of a change. ``known`` are the facts of the last read, so that what cannot have changed
        is not asked again; ``checks`` says whether other reporters' checks are needed."""
        ...

    def permission(self, repo: RepoRef, login: str) -> Permission: ...

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Who may do what, as far as our account may list it (lower-cased login); cached, empty when refused."""
        ...

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open changes, and closed ones updated after ``since``; newest first."""
        ...

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Numbers of merged changes that the host associates with a commit of the target branch."""
        ...

    def default_branch(self, repo: RepoRef) -> str: ...

    def clone_url(self, repo: RepoRef) -> str:
        """An https (or http, for loopback) URL without credentials."""
        ...

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:
        """User name and password for git over HTTP; None for a host that needs none."""
        ...

    def budget(self) -> Budget: ...

    def own_login(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Annotation:
    path: str
    line: int
    message: str
    level: str = "failure"


@dataclass(frozen=True, slots=True)
class CheckToSet:
    """A check to put on a commit. ``text`` is Markdown, used where the host can show it."""

    name: str
    sha: str
    conclusion: CheckConclusion
    summary: str
    url: str = ""
    text: str = ""
    annotations: tuple[Annotation, ...] = ()


class MergeOutcome(enum.Enum):
    MERGED = "merged"
    HEAD_MOVED = "head_moved"
    NOT_MERGEABLE = "not_mergeable"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a host can do, so that nobody asks for its name.

    ``comment_limit`` in characters; ``review_has_sha`` whether a review names its commit.
    """

    comment_limit: int
    review_has_sha: bool
    required_by_name: bool
    rich_checks: bool


class Reporter(Protocol):
    """Writes to a host. Each raises HostBusy, HostDenied, HostGone or HostUnclear (write outcome unknown)."""

    def capabilities(self) -> Capabilities: ...

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the comment, or create one when ``comment_id`` is empty. Returns its id."""
        ...

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None: ...

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None: ...

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if and only if the head still is ``head_sha``."""
        ...

    def set_deployment(
        self,
        repo: RepoRef,
        deployment_id: str,
        sha: str,
        environment: str,
        state: str,
        url: str,
        description: str,
    ) -> str:
        """Create (empty id) a deployment and set its state: queued, in_progress, success, failure, inactive.
        Returns the host's id."""
        ...


class Host(Inbox, Reader, Reporter, Protocol):
    """All roles of a Git host."""


# ------------------------------------------------------------------------------------------- sandbox


@dataclass(frozen=True, slots=True)
class Execution:
    """One command to run: argv, where, and with exactly which environment variables (nothing is inherited).

    ``timeout`` and ``grace`` are seconds: at the timeout the process group gets SIGINT, after ``grace`` SIGTERM,
    after ``grace`` again SIGKILL. ``keep_bytes`` bounds what is kept of stdout and of stderr each; the rest is
    read and counted. ``log`` sees redacted lines as they come. ``secret`` values are never shown.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    timeout: float = 600.0
    grace: float = 10.0
    keep_bytes: int = 32 * 2**20
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    network: bool = False
    quiet: bool = False
    """True keeps stdout out of the log (machine-readable output that may hold secrets)."""
    dies_with_parent: bool = True


@dataclass(frozen=True, slots=True)
class Executed:
    """How it ended. ``code`` is the exit code, negative for a signal; output is raw bytes, not redacted."""

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    truncated: bool = False
    cancelled: bool = False


class Sandbox(Protocol):
    """Runs a tool's command. Raises ToolMissing when the program is not there."""

    def run(self, execution: Execution) -> Executed: ...


# --------------------------------------------------------------------------------------------- tools


class Source(Protocol):
    """A tree in the mirror, read without a checkout."""

    def paths(self) -> Sequence[str]:
        """Every file's path, sorted."""
        ...

    def read(self, path: str) -> bytes | None:
        """A regular file's bytes (bounded; None when missing, too large, a link or a submodule)."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A project that a tool recognises in a tree."""

    path: str
    options: Mapping[str, object] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What a tool needs for one run.

    ``root`` is the checkout's root, ``directory`` the project's directory in it. ``env`` holds exactly the
    credentials granted for this step and environment. ``cache`` may be written and is shared by runs of the
    same project; ``scratch`` is this run's own. ``tokens`` turns a sensitive value into its token; ``secret``
    tells the log's redactor a value that must not be shown from now on.
    """

    run_id: str
    project: Project
    root: Path
    directory: Path
    scratch: Path
    cache: Path
    sandbox: Sandbox
    env: Mapping[str, str]
    key: bytes
    secret: Callable[[str], None]
    timeout: float = 1800.0
    deploy: bool = False
    network: bool = True


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding of a tool, at a place of the repository where it says one. Level: error or warning."""

    level: str
    message: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """A dry run's outcome. ``artifact`` are the exact bytes to apply later in the same job (or another);
    empty for a tool whose plan cannot be kept. ``state`` identifies the remote state that was read."""

    effects: EffectSet
    tool_version: str
    artifact: bytes = b""
    state: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: addresses done, and why it stopped if it did."""

    done: tuple[str, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading back found; ``remaining`` is what the tool would still change."""

    outcome: Verification
    remaining: EffectSet = EffectSet()
    notes: tuple[str, ...] = ()


class Tool(Protocol):
    """One tool of infrastructure behind the contract validate · plan · apply · verify.

    All but the first three run commands of a change through ``job.sandbox`` and raise ToolFailed, ToolTimeout
    or ToolMissing.
    """

    def option_schema(self) -> Mapping[str, object]:
        """JSON Schema ``properties`` of this tool's own keys in ``.headgate.yaml``."""
        ...

    def discover(self, source: Source) -> tuple[Found, ...]:
        """Projects of this tool in a tree without configuration."""
        ...

    def inspect(self, project: Project, source: Source) -> tuple[str, tuple[str, ...]]:
        """The target key (what it really writes) and the inputs (files and directories it reads, beside its
        own directory), read from the tree; never runs code of the change."""
        ...

    def validate(self, job: Job) -> tuple[Diagnostic, ...]:
        """Findings; an ``error`` stops the plan."""
        ...

    def plan(self, job: Job) -> Planned: ...

    def apply(self, job: Job, planned: Planned) -> Applied:
        """Apply exactly ``planned``."""
        ...

    def verify(self, job: Job) -> Verified: ...

    def unlock(self, job: Job, dead_holder: str) -> bool:
        """Release the tool's own state lock if, and only if, the process named ``dead_holder`` (proven dead)
        left it. True when something was released."""
        ...


# --------------------------------------------------------------------------------------------- store


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change's memory with what is needed to write it back conditionally.

    ``dirty`` counts marks ever made and ``cleared`` how many an advance has read; equal means clean.
    ``refetch`` says that the host must be asked again (a delivery or a sweep said so).
    """

    ref: ChangeRef
    memory: Memory
    version: int
    dirty: int
    cleared: int
    refetch: bool
    state: str
    wake_at: datetime | None
    updated_at: datetime
    hinted_head: str = ""
    """The newest head that a delivery spoke of; a read that shows an older change than this is retried."""
    hinted_at: datetime | None = None
    """The host's own time of that newest delivery's change."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the record: who did what to which change or project, on which grounds."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A chat message in the outbox. ``key`` is stable: the same thing is told once. ``group`` is the change."""

    key: str
    group: str
    kind: str
    environment: str
    title: str
    body: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message on its way to one destination."""

    id: int
    destination: str
    message: Message
    attempts: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything one advance decided, written in one transaction or not at all.

    ``runs`` are inserted unless a run of that id exists; ``cancel`` cancels queued runs and asks running plans
    to stop; ``messages`` are (destination, message); ``finish_intents`` maps (target, order) to a new state.
    """

    memory: Memory
    cleared: int
    refetched: bool
    state: str
    wake_at: datetime | None
    runs: tuple[Run, ...] = ()
    cancel: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    effect_sets: Mapping[str, EffectSet] = field(default_factory=dict)
    release: tuple[str, ...] = ()
    """Targets whose lock a person told us to release."""
    targets: tuple[str, ...] | None = None
    """Targets the change concerns now, for :meth:`Targets.changes_on`; None leaves them as they are."""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target: what is deployed there, and who holds its lock (a run id; empty when free)."""

    target: str
    deployed_sha: str = ""
    deployed_order: int = 0
    deployed_repo: str = ""
    deployed_at: datetime | None = None
    locked_by: str = ""
    locked_since: datetime | None = None
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A written audit row with its place in the chain."""

    seq: int
    at: datetime
    entry: AuditEntry
    previous: str
    hash: str


class Deliveries(Protocol):
    """The durable inbox. Raises StoreDown."""

    def add_delivery(self, delivery: Delivery) -> bool:
        """Store it; False when its id was stored before (it is then marked unabsorbed again)."""
        ...

    def unabsorbed(self, limit: int = 100) -> tuple[Delivery, ...]: ...

    def absorb(self, delivery: Delivery, hints: Sequence[Hint], touched: Sequence[ChangeRef], outcome: str) -> None:
        """Mark the delivery absorbed and the changes dirty (refetch, pushers noted), in one transaction."""
        ...

    def oldest_unabsorbed(self) -> datetime | None: ...

    def note_pusher(self, repo: RepoRef, sha: str, login: str) -> None:
        """Remember who pushed a commit; the first that is told stays."""
        ...

    def pushers(self, repo: RepoRef, shas: Sequence[str]) -> Mapping[str, str]:
        """Commit -> login, for those that are known."""
        ...


class Changes(Protocol):
    """Memories of changes. Raises StoreDown, StoreConflict."""

    def change(self, ref: ChangeRef) -> ChangeRow | None: ...

    def mark_dirty(self, ref: ChangeRef, *, refetch: bool) -> None:
        """Count one mark, creating the change when it is new."""
        ...

    def due_changes(self, now: datetime, limit: int = 200) -> tuple[ChangeRef, ...]:
        """Dirty, or with a wake-up that is due, and not leased by anyone whose lease still runs."""
        ...

    def lease_change(self, ref: ChangeRef, holder: str, now: datetime, ttl: timedelta) -> bool:
        """Take (or prolong) the right to advance it; False while somebody else's lease runs."""
        ...

    def free_change(self, ref: ChangeRef, holder: str) -> None: ...

    def commit_change(self, row: ChangeRow, commit: Commit, now: datetime) -> ChangeRow:
        """Write what was decided, if the version still is ``row.version``; else StoreConflict."""
        ...

    def open_changes(self, repo: RepoRef) -> tuple[ChangeRow, ...]: ...

    def list_changes(self, limit: int = 100, repo: RepoRef | None = None) -> tuple[ChangeRow, ...]:
        """Newest first, for the pages."""
        ...

    def change_by_head(self, repo: RepoRef, sha: str) -> tuple[ChangeRef, ...]: ...

    def change_by_merge(self, repo: RepoRef, sha: str) -> ChangeRef | None: ...


class Runs(Protocol):
    """Runs and their leases. Every write of a worker is conditional on the fencing token: StoreConflict."""

    def run(self, run_id: str) -> Run | None: ...

    def runs_of(self, ref: ChangeRef) -> tuple[Run, ...]:
        """All runs of a change, oldest first."""
        ...

    def queued_runs(self, environments: Sequence[str] | None, limit: int = 100) -> tuple[Run, ...]:
        """Oldest first; deploys before plans. ``environments`` limits whose runs a worker may take."""
        ...

    def active_runs(self) -> tuple[Run, ...]:
        """RUNNING and SUSPECT ones."""
        ...

    def claim_run(self, run_id: str, holder: Holder, now: datetime, ttl: timedelta) -> Run | None:
        """Move QUEUED to RUNNING with a fresh fencing token; a deploy also takes its target's lock and needs
        every earlier intent on the target finished. None when somebody was faster or the target is not free."""
        ...

    def renew_run(self, run: Run, now: datetime, ttl: timedelta) -> bool:
        """Prolong the lease; False when the run was told to stop (cancelled) or the token is stale."""
        ...

    def set_holder(self, run: Run, holder: Holder) -> Run: ...

    def mark_applying(self, run: Run, plan: PlanResult) -> Run:
        """Durably note that applying begins now. Raises StoreConflict when the token is stale."""
        ...

    def finish_run(self, run: Run, step: Step, now: datetime, audit: AuditEntry) -> Run:
        """Write the outcome held in ``run``, release its lock when that is safe, settle its intent, mark the
        change dirty; one transaction. Raises StoreConflict for a stale token, BadTransition."""
        ...

    def expire_runs(self, now: datetime) -> tuple[Run, ...]:
        """Move deploys whose lease ran out to SUSPECT and bury plans; returns what moved."""
        ...

    def bury_run(self, run: Run, now: datetime, why: str) -> Run:
        """The holder is proven dead: LOST, lock released, change marked dirty."""
        ...


class Targets(Protocol):
    def target(self, target: str) -> TargetRow: ...

    def intents_on(self, target: str) -> tuple[Intent, ...]:
        """Unfinished or stopped intents not yet deployed over, in order."""
        ...

    def intents_of(self, ref: ChangeRef) -> tuple[Intent, ...]:
        """What a merged change claimed, in the order it was written."""
        ...

    def changes_on(self, targets: Sequence[str]) -> tuple[tuple[str, ChangeRef], ...]:
        """(target, open change) pairs: which open changes concern these targets."""
        ...

    def freeze(self, repo: RepoRef, branch: str, reason: str) -> None: ...


class Artifacts(Protocol):
    """Bytes, encrypted at rest. Raises KeyMismatch."""

    def put(self, kind: str, data: bytes, *, owner: str) -> str:
        """Store; returns the name."""
        ...

    def get(self, name: str) -> bytes | None: ...


class LogSink(Protocol):
    """A run's log while it grows: redacted text only."""

    def write(self, text: str) -> None: ...

    def close(self) -> str:
        """Finish; returns the artifact's name."""
        ...


class Outbox(Protocol):
    def due_messages(self, now: datetime, limit: int = 50) -> tuple[Outbound, ...]:
        """Take messages to send; each is hidden from others for a minute."""
        ...

    def messages_due(self, now: datetime) -> bool:
        """Whether anything waits to be sent (nothing is taken)."""
        ...

    def enqueue_messages(self, messages: Sequence[tuple[str, Message]], now: datetime) -> None:
        """Put (destination, message) pairs into the outbox; a key that is there already is left alone."""
        ...

    def sent(self, outbound: Outbound) -> None: ...

    def not_sent(self, outbound: Outbound, now: datetime, reason: str) -> None:
        """Try again later with growing pauses; after the last attempt it is dead and counted."""
        ...


class Store(Deliveries, Changes, Runs, Targets, Outbox, Protocol):
    """The truth. Queues may forget; this may not."""

    def migrate(self) -> None:
        """Bring the schema up to date; safe with many starters."""
        ...

    def ping(self) -> None:
        """Raises StoreDown."""
        ...

    def effect_sets(self, fingerprints: Iterable[str]) -> Mapping[str, EffectSet]: ...

    def put_effect_sets(self, sets: Mapping[str, EffectSet]) -> None: ...

    def audit(self, entry: AuditEntry, now: datetime) -> None: ...

    def audit_rows(self, subject: str | None = None, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]: ...

    def verify_audit(self) -> int:
        """Rows checked; raises StoreConflict naming the first row whose chain is broken."""
        ...

    def setting(self, name: str) -> str | None: ...

    def put_setting(self, name: str, value: str | None, *, only_new: bool = False) -> bool: ...

    def append_log(self, run_id: str, seq: int, data: bytes) -> None:
        """A piece of a growing log, already redacted and encrypted."""
        ...

    def log_pieces(self, run_id: str, after: int = -1) -> tuple[tuple[int, bytes], ...]: ...

    def put_blob(self, name: str, owner: str, data: bytes) -> None: ...

    def blob(self, name: str) -> bytes | None: ...

    def sweep(self, now: datetime, keep: timedelta) -> int:
        """Delete what retention no longer keeps; rows deleted."""
        ...

    def lead(self, name: str, holder: str, now: datetime, ttl: timedelta) -> bool:
        """Take or prolong a named duty (sweeping, polling) so that only one process performs it."""
        ...

    def gauges(self, now: datetime) -> Mapping[str, float]:
        """Figures for the metrics page: oldest_unabsorbed_seconds, advance_lag_seconds, run_wait_seconds,
        suspect_runs, dead_messages, open_changes, queued_runs, running_runs."""
        ...

    def list_runs(self, limit: int = 100, kind: RunKind | None = None) -> tuple[Run, ...]: ...

    def close(self) -> None: ...


# --------------------------------------------------------------------------------------------- queue


class JobKind(enum.Enum):
    """What can be queued; the store knows everything else."""

    ABSORB = "absorb"
    ADVANCE = "advance"
    RUN = "run"
    NOTIFY = "notify"
    WATCH = "watch"


class Queue(Protocol):
    """Hints that there is work. Losing every one of them costs a delay, never a change."""

    def put(self, kind: JobKind, key: str, *, lane: str = "") -> None:
        """Ask for a job; asking twice for the same waiting job is one. Never raises: a queue that is down
        is noted, and the sweep finds the work. ``lane`` is the environment of a run."""
        ...

    def depth(self) -> Mapping[str, int]: ...

    def ping(self) -> str:
        """What is behind it, in words; raises ConnectionError when it is down."""
        ...


class Handler(Protocol):
    """What a worker calls for each job."""

    def __call__(self, kind: JobKind, key: str) -> None: ...


# ---------------------------------------------------------------------------------------------- chat


class Chat(Protocol):
    """One destination. Raises HostBusy (try later), HostDenied (never will)."""

    def send(self, message: Message) -> None: ...


# -------------------------------------------------------------------------------------------- mirror


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Merging head onto base in the mirror: a synthetic commit and its tree, or the files in conflict."""

    commit: str
    tree: str
    conflicts: tuple[str, ...] = ()


class Mirror(Protocol):
    """A bare mirror of one repository: everything is read here without a working tree.

    Raises HostBusy (the remote cannot be reached), HostGone (an object is not there), HostDenied.
    """

    def fetch(self, wants: Sequence[str], *, branch: str = "", change: int = 0) -> None:
        """Make the commits in ``wants`` present; one trip at most, none when they are all here already."""
        ...

    def branch_head(self, branch: str) -> str:
        """Ask the remote for a branch's commit (fetches it)."""
        ...

    def has(self, sha: str) -> bool: ...

    def tree(self, sha: str) -> str: ...

    def merge(self, base: str, head: str) -> MergeResult:
        """Deterministic: the same two commits always give the same synthetic commit."""
        ...

    def merge_base(self, base: str, head: str) -> str: ...

    def is_ancestor(self, older: str, newer: str) -> bool: ...

    def first_parents(self, sha: str, since: str = "", limit: int = 500) -> tuple[str, ...]:
        """The first-parent line from ``sha`` back to (not including) ``since``, newest first."""
        ...

    def order(self, sha: str) -> int:
        """Number of commits on the first-parent line up to ``sha``."""
        ...

    def parents(self, sha: str) -> tuple[str, ...]: ...

    def changed_paths(self, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two trees or commits, both sides of a rename, sorted."""
        ...

    def source(self, sha: str) -> Source: ...

    def digest(self, sha: str, paths: Sequence[str]) -> str:
        """Identifies the content of these files and directories in a tree (git object ids, no reading)."""
        ...

    def checkout(self, sha: str, paths: Sequence[str], at: Path) -> None:
        """A sparse work tree of ``paths`` (directories with all below, and files); links that leave the tree
        are refused (HostDenied); hooks, filters, submodules and LFS are off."""
        ...
