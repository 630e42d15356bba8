"""Sandbox and tools: how a command is run, and the contract validate · plan · apply · verify.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.core.effectset import EffectSet
from bot.core.guard.model import Finding, Listing
from bot.core.project import Project
from bot.core.redaction import Redactor
from bot.core.rules import Network
from bot.core.runs import Failure, Verification


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
    """True lets it use what the run's environment grants of the network; it may be nothing."""
    quiet: bool = False
    """True keeps stdout out of the log (machine-readable output that may hold secrets)."""
    dies_with_parent: bool = True


@dataclass(frozen=True, slots=True)
class Executed:
    """How it ended; one that something else killed has none (ToolKilled).

    ``code`` is the exit code, negative for a signal; output is raw bytes, not redacted.
    """

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    truncated: bool = False
    cancelled: bool = False
    exceeded: str = ""
    """What it took more of than it may; it was killed for that."""


class Sandbox(Protocol):
    """Runs a tool's command. Raises ToolMissing when the program is not there."""

    def run(self, execution: Execution) -> Executed:
        """To its end. Several may run at once."""
        ...

    def find(self, word: str) -> str:
        """The file that the first word of a command stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Confinement:
    """What one run's commands may see and do, whatever they are.

    ``tree`` is the checkout; ``readable`` and ``writable`` are further places the operator granted to this step.
    ``untrusted`` code never runs without isolation. ``log`` takes redacted text; ``stopped`` says that the run was
    told to stop.
    """

    run_id: str
    tree: Path
    redactor: Redactor
    log: Callable[[str], None]
    stopped: Callable[[], bool]
    network: Network = Network()
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    untrusted: bool = False


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
    same project; ``shared`` by those of all projects here, so commands only ever read it; ``scratch`` is this run's
    own. ``tokens`` turns a sensitive value into its token; ``secret``
    tells the log's redactor a value that must not be shown from now on.
    """

    run_id: str
    project: Project
    root: Path
    directory: Path
    scratch: Path
    cache: Path
    shared: Path
    sandbox: Sandbox
    env: Mapping[str, str]
    key: bytes
    secret: Callable[[str], None]
    timeout: float = 1800.0
    deploy: bool = False


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

    All from ``validate`` on run commands of a change through ``job.sandbox`` and raise ToolFailed, ToolTimeout
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

    @property
    def executables(self) -> bool:
        """Whether a project's directory is meant to hold programs that are run."""
        ...

    def guard(self, project: Project, source: Listing) -> Iterable[Finding]:
        """What the project's code would run, fetch or redirect, read from its files before any of it runs (rules in
        ``bot.core.guard``). Bounded in time and size; raises nothing for any content, and what cannot be read is a
        finding."""
        ...

    def validate(self, job: Job) -> tuple[Diagnostic, ...]:
        """Findings; an ``error`` stops the plan."""
        ...

    def plan(self, job: Job) -> Planned: ...

    def apply(self, job: Job, planned: Planned) -> Applied:
        """Apply exactly ``planned``."""
        ...

    def verify(self, job: Job) -> Verified: ...

    def owned(self, job: Job) -> int | None:
        """How many things the project owns as it is deployed now; None when this tool cannot tell. Called without
        ``validate``."""
        ...

    def unlock(self, job: Job, dead_run: str) -> bool:
        """Release the tool's own state lock if, and only if, it is seen that the run ``dead_run`` (its process is
        proven dead) left it, or a person said that nobody holds it (``*``). True when something was released."""
        ...
