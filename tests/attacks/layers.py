"""The layers that stop attacks, and how each is left out, for tests alone: no setting of the product does this.

A switch composes the same services without one layer (another enclosure, no bounds, an empty redactor …) or uses an
operator's setting that exists anyway. It is given the ground and the monkeypatch that undoes it.
"""

from __future__ import annotations

import enum
import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from attacks import judgement

import bot.core.decide.planning
import bot.flow.run
import bot.sandbox.process
from bot.core.guard.model import Level
from bot.core.guard.rules import RULES
from bot.core.redaction import Redactor, Stream
from bot.core.rules import Grant, Settings
from bot.mirror import worktree
from bot.mirror.git import GitMirror
from bot.ports import Confinement, Executed, Execution, Sandbox
from bot.sandbox import enclosure as walls
from bot.sandbox.egress import Egress
from bot.sandbox.enclosure import Enclosure
from bot.sandbox.process import ProcessSandbox
from bot.sandbox.watchdog import Bounds
from bot.tools import leavings

if TYPE_CHECKING:
    from attacks.ground import Ground

HUGE: Final = 2**40
PLENTY: Final = 30 * 2**20
"""What is kept of a log without its bound: more than anybody wants, and not what a hostile log would like."""


class Layer(enum.Enum):
    """What stands between a change and what it wants; the value is how the documents call it."""

    CONSENT = "strangers' consent"
    GUARD = "static guard"
    MOUNTS = "mount walls"
    PROCESSES = "process walls"
    NETWORK = "network walls"
    EGRESS = "the proxy's judgement"
    PRIVILEGE = "no privilege"
    SECCOMP = "seccomp filter"
    BOUNDS = "bounds"
    ENVIRONMENT = "clean environment"
    CREDENTIALS = "credentials per step"
    STRANGERS = "nothing for strangers"
    CHECKOUT = "checkout rules"
    WRITER = "own checkout writer"
    LEAVINGS = "leavings read without links"
    REDACTION = "redaction"
    BINDING = "the target branch's binding"
    UNION = "both sides' projects"
    LEFTOVERS = "the count of what is left"
    CONTRIBUTORS = "no approval of one's own work"
    COVERAGE = "approvals of what was shown"
    PERMISSION = "permission to command"
    LISTENING = "careful listening"
    WORDS = "words shown as words"
    SIGNATURE = "signed deliveries"
    INPUTS = "bounds on what is read"


WHAT: Final[Mapping[Layer, str]] = {
    Layer.CONSENT: "a stranger's commit is not planned until somebody with write permission allows that very commit",
    Layer.GUARD: "the change's files are parsed and judged before any of them runs",
    Layer.MOUNTS: "a command sees a read-only system, its checkout and what the operator granted, and no other file",
    Layer.PROCESSES: "process, IPC and host-name namespaces of its own, which end with it",
    Layer.NETWORK: "a network namespace of its own, with nothing in it",
    Layer.EGRESS: "the one way out connects to what the operator listed, and judges the addresses as well",
    Layer.PRIVILEGE: "a user namespace without any capability",
    Layer.SECCOMP: "system calls that no tool needs are refused",
    Layer.BOUNDS: "processes, memory, disk, shared memory, core files, time and log of one command",
    Layer.ENVIRONMENT: "a fixed set of variables and what was granted; nothing of the worker's own",
    Layer.CREDENTIALS: "a plan is given the plan's credentials, never the deploy's",
    Layer.STRANGERS: "a stranger's run is given no variable and no directory",
    Layer.CHECKOUT: "links that leave, files behind links, `.git` in any spelling and names that collide are refused",
    Layer.WRITER: "the checkout is written by Headgate: git's filters, hooks and submodules take no part",
    Layer.LEAVINGS: "what a command left is opened part by part, and only if it is a plain file of one name",
    Layer.BINDING: "an existing project keeps the target branch's tool, environment and commands until it is merged",
    Layer.UNION: "what a change concerns is found by the target branch's projects as well as by its own",
    Layer.LEFTOVERS: "what a removed project owns is counted, and blocks or needs an approval",
    Layer.CONTRIBUTORS: "author, committers, pushers and who asked a bot do not approve",
    Layer.COVERAGE: "an approval counts for the commit and the effects that stood published when it was given",
    Layer.PERMISSION: "each command has a least permission, and is judged on what its author has",
    Layer.LISTENING: "quotes, code, hidden text, edited comments and our own words ask for nothing",
    Layer.WORDS: "what titles, tools and people say is no markup, mention or link, and hides or turns nothing",
    Layer.SIGNATURE: "a delivery bears the HMAC of a secret that only the host and Headgate know",
    Layer.INPUTS: "configurations, trees, comments and plans are read up to a size, and what is beyond is told",
    Layer.REDACTION: "secrets are hidden in logs, plans and messages before these are stored or shown",
}

Switch = Callable[["Ground", pytest.MonkeyPatch], None]


# -------------------------------------------------------------------------------------- around a command

AROUND_A_COMMAND: Final = frozenset(
    {
        Layer.MOUNTS,
        Layer.PROCESSES,
        Layer.NETWORK,
        Layer.EGRESS,
        Layer.PRIVILEGE,
        Layer.SECCOMP,
        Layer.BOUNDS,
        Layer.ENVIRONMENT,
    }
)


@dataclass(frozen=True, slots=True)
class Loosened(Enclosure):
    """Walls of which some are missing."""

    without: frozenset[Layer] = frozenset()

    def words(self, execution: Execution, program: str, box: Path, *, status: int, filter_: int | None) -> list[str]:
        """The same words, less the filter's."""
        kept = None if Layer.SECCOMP in self.without else filter_
        return Enclosure.words(self, execution, program, box, status=status, filter_=kept)

    def _walls(self, execution: Execution) -> Iterator[str]:
        dropped: dict[str, int] = {}
        if Layer.PROCESSES in self.without:
            dropped |= dict.fromkeys(("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"), 1)
            dropped |= {"--hostname": 2}
        if Layer.NETWORK in self.without:
            dropped |= {"--unshare-net": 1}
        if Layer.PRIVILEGE in self.without:
            dropped |= {"--unshare-user": 1, "--uid": 2, "--gid": 2, "--cap-drop": 2}
            yield from ("--cap-add", "ALL")
        yield from _less(Enclosure._walls(self, execution), dropped)

    def _system(self, program: str, execution: Execution, box: Path) -> Iterator[str]:
        proc = ("--ro-bind", "/proc", "/proc") if Layer.PROCESSES in self.without else ("--proc", "/proc")
        if Layer.MOUNTS in self.without:
            yield from ("--dev-bind", "/", "/", *proc)
            return
        words = list(Enclosure._system(self, program, execution, box))
        place = words.index("--proc")
        yield from (*words[:place], *proc, *words[place + 2 :])


def _less(words: Iterable[str], dropped: Mapping[str, int]) -> Iterator[str]:
    """Without these options and what follows them (their length in words)."""
    skip = 0
    for word in words:
        skip = skip or dropped.get(word, 0)
        if not skip:
            yield word
        skip = max(skip - 1, 0)


class Unjudged(Egress):
    """A proxy that connects to whatever it is asked for; only that a port of ours stands for the metadata service."""

    metadata = 0

    def _connected(self, host: str, port: int | None) -> socket.socket:
        place = ("127.0.0.1", self.metadata) if host == "169.254.169.254" else (host, port or 443)
        return socket.create_connection(place, 5)


@dataclass(frozen=True, slots=True)
class Inheriting:
    """A sandbox whose commands get the worker's own variables too."""

    inner: Sandbox

    def run(self, execution: Execution) -> Executed:
        """With everything this process has."""
        return self.inner.run(replace(execution, env={**os.environ, **execution.env}))

    def find(self, word: str) -> str:
        """The same file."""
        return self.inner.find(word)


def loosened(real: Sandbox, wanted: Confinement, without: frozenset[Layer], ground: Ground) -> Sandbox:
    """The sandbox that wiring made for a run, less some layers."""
    assert isinstance(real, ProcessSandbox)
    around, egress = real._enclosure, real._egress
    if around is not None:
        around = Loosened(
            around.run_id, around.tree, around.readable, around.writable, around.host_network, without=without
        )
    if egress is not None and Layer.EGRESS in without:
        egress = Unjudged(wanted.network.destinations, wanted.log)
        egress.metadata = ground.outside.ears.tcp
    made = ProcessSandbox(
        log=wanted.log,
        redactor=wanted.redactor,
        cancelled=wanted.stopped,
        path=ground.wiring.settings.path,
        enclosure=around,
        bounds=Bounds() if Layer.BOUNDS in without else real._bounds,
        egress=egress,
    )
    return Inheriting(made) if Layer.ENVIRONMENT in without else made


def _loosen(layer: Layer) -> Switch:
    def switch(ground: Ground, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(ground, "walls_off", ground.walls_off | {layer})

    return switch


def _unlimited(dies_with_parent: bool, bounds: Bounds, doors: tuple[int, ...]) -> Callable[[], None]:
    """No limit before a command begins, on core files either."""
    _, hardest = resource.getrlimit(resource.RLIMIT_CORE)
    return lambda: resource.setrlimit(resource.RLIMIT_CORE, (hardest, hardest))


def _no_bounds(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    _loosen(Layer.BOUNDS)(ground, patch)
    patch.setattr(bot.sandbox.process, "_limited", _unlimited)
    patch.setattr(walls, "TMP_BYTES", HUGE)
    patch.setattr(walls, "SHARED_BYTES", HUGE)
    settings = ground.services.settings
    ground.compose(patch, replace(settings, limits=replace(settings.limits, log_bytes=PLENTY, plan_timeout=60.0)))


# --------------------------------------------------------------------------------------- before and after


def _no_consent(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bot.core.decide.planning, "needs_permission_to_plan", lambda snapshot: None)


def _no_guard(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """By the operator's own setting: every rule ignored."""
    settings = ground.services.settings
    ignoring = replace(settings.guard, levels=dict.fromkeys(RULES, Level.IGNORE))
    repositories = tuple(replace(each, guard=ignoring) for each in settings.repositories)
    ground.compose(patch, replace(settings, guard=ignoring, repositories=repositories))


def _one_grant(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Plans are given what deploys are given."""
    ground.compose(patch, _with_grants(ground.services.settings, lambda plan, apply: apply))


def _for_strangers(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """By the operator's own setting ``strangers: true``."""
    grants = _with_grants(ground.services.settings, lambda plan, apply: replace(plan, strangers=True))
    ground.compose(patch, grants)


def _with_grants(settings: Settings, plan: Callable[[Grant, Grant], Grant]) -> Settings:
    environments = {
        name: replace(each, plan=plan(each.plan, each.apply)) for name, each in settings.environments.items()
    }
    return replace(settings, environments=environments)


class Telling(Redactor):
    """A redactor that hides nothing."""

    def add(self, value: str) -> None:
        """Forget it."""

    def text(self, text: str) -> str:
        """As it is."""
        return text

    def stream(self) -> Stream:
        """As it comes."""
        return Passing(self.known)


class Passing(Stream):
    """A stream that holds nothing back."""

    def feed(self, text: str) -> str:
        """As it is."""
        return text

    def flush(self) -> str:
        """Nothing is left."""
        return ""


def _no_redaction(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bot.flow.run, "Redactor", Telling)


def _no_checkout_rules(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worktree, "_refuse_odd", lambda path, spellings: None)
    patch.setattr(worktree, "_refuse_below_a_link", lambda path, links: None)
    patch.setattr(worktree, "_link", lambda objects, path, name: objects.read(name, 4096).decode())


def _git_writes(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """The checkout is git's own, with submodules and with the filters that a worker's git may be set up with."""

    def checkout(mirror: GitMirror, sha: str, paths: Sequence[str], at: Path) -> None:
        objects = mirror._git.directory / "objects"
        filters = ("-c", f"filter.decrypt.smudge=cat {ground.outside.file}", "-c", "protocol.allow=always")
        subprocess.run(["git", "init", "-q", str(at)], check=True)
        (at / ".git/objects/info/alternates").write_text(f"{objects}\n")
        subprocess.run(["git", *filters, "-C", str(at), "checkout", "-q", "--detach", sha], check=True)
        submodules = ["git", *filters, "-C", str(at), "submodule", "update", "-q", "--init"]
        subprocess.run(submodules, check=False, timeout=10, stderr=subprocess.DEVNULL)

    patch.setattr(GitMirror, "checkout", checkout)


def _follow_links(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """What commands leave is read like any other file."""

    def read(top: Path, path: str, limit: int, *, links: bool = False) -> bytes | None:
        return (top / path).read_bytes() if (top / path).exists() else None

    def contents(top: Path, path: str, limit: int) -> dict[str, bytes]:
        return {each.name: each.read_bytes() for each in (top / path).iterdir() if each.is_file()}

    patch.setattr(leavings, "read", read)
    patch.setattr(leavings, "contents", contents)


SWITCHES: Final[dict[Layer, Switch]] = {
    **{layer: _loosen(layer) for layer in AROUND_A_COMMAND},
    Layer.BOUNDS: _no_bounds,
    Layer.CONSENT: _no_consent,
    Layer.GUARD: _no_guard,
    Layer.CREDENTIALS: _one_grant,
    Layer.STRANGERS: _for_strangers,
    Layer.CHECKOUT: _no_checkout_rules,
    Layer.WRITER: _git_writes,
    Layer.LEAVINGS: _follow_links,
    Layer.REDACTION: _no_redaction,
    Layer.BINDING: judgement.own_binding,
    Layer.UNION: judgement.own_projects,
    Layer.LEFTOVERS: judgement.nothing_left,
    Layer.CONTRIBUTORS: judgement.own_work,
    Layer.COVERAGE: judgement.any_approval,
    Layer.PERMISSION: judgement.anybody_commands,
    Layer.LISTENING: judgement.everything_is_spoken,
    Layer.WORDS: judgement.no_words,
    Layer.SIGNATURE: judgement.unsigned,
    Layer.INPUTS: judgement.unbounded,
}
