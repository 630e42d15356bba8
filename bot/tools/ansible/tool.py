"""Ansible: ``--check --diff`` with our own callback is the plan; the apply is the same commit, inventory and hosts.

An exact plan cannot exist here, so the effects are read again right before the apply and compared (P2).
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from bot.core.effectset import Action
from bot.core.errors import ToolError, ToolFailed
from bot.core.guard.model import Finding, Listing
from bot.core.project import Project
from bot.core.runs import Failure, FailureKind, Verification
from bot.ports import Applied, Diagnostic, Executed, Execution, Found, Job, Planned, Source, Verified
from bot.tools import leavings
from bot.tools.ansible import events, guard
from bot.tools.ansible.documents import read
from bot.tools.outcome import last_words, require

CALLBACK: Final = Path(__file__).parent / "callback" / "headgate.py"
EVENTS: Final = "events"
COMPARED_BYTES: Final = 16 * 2**20
HOSTS: Final = re.compile(r"^ +hosts \((\d+)\):", re.MULTILINE)
NOTHING: Final[Mapping[str, str]] = {}
EVENT_BYTES: Final = 256 * 2**20

_LIST: Final = {"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 50}
OPTIONS: Final[Mapping[str, object]] = {
    "playbook": {"description": "The playbook, relative to the project's directory.", "type": "string"},
    "inventory": {"description": "Inventories, relative to the project's directory.", **_LIST},
    "limit": {"description": "Only these hosts.", "type": "string", "maxLength": 500},
    "tags": {"description": "Only tasks with these tags.", **_LIST},
    "skip_tags": {"description": "No tasks with these tags.", **_LIST},
    "extra_vars": {"description": "Extra variables; not for secrets.", "type": "object"},
}

CODES: Final[Mapping[int, str]] = {
    1: "an error",
    2: "a host failed",
    4: "a host is unreachable, or the playbook cannot be parsed",
    5: "a wrong option",
    250: "an unexpected error",
}
"""Not listed by Ansible's documentation; seen with ansible-core 2.19."""


class Ansible:
    """Implements the port ``Tool``."""

    def __init__(self) -> None:
        self._version = ""

    # ------------------------------------------------------------------------------- without running it

    def option_schema(self) -> Mapping[str, object]:
        """Playbook, inventory and what narrows a run."""
        return OPTIONS

    def discover(self, source: Source) -> tuple[Found, ...]:
        """Playbooks at the root of a directory that has an inventory or an ``ansible.cfg``, or in ``playbooks/``."""
        paths = list(source.paths())
        homes = {
            posixpath.dirname(path)
            for path in paths
            if posixpath.basename(path) in ("ansible.cfg", "inventory.ini", "hosts")
        }
        found = []
        for path in paths:
            folder = posixpath.dirname(path)
            likely = folder in homes or posixpath.basename(folder) == "playbooks"
            if likely and path.endswith((".yml", ".yaml")) and _is_playbook(source.read(path)):
                options = {"playbook": posixpath.basename(path)}
                inventory = next(
                    (name for name in ("inventory.ini", "hosts") if posixpath.join(folder, name) in paths), ""
                )
                found.append(Found(folder or ".", {**options, **({"inventory": [inventory]} if inventory else {})}))
        return tuple(found)

    def inspect(self, project: Project, source: Source) -> tuple[str, tuple[str, ...]]:
        """The inventory as the target; roles and included files outside the project's directory as inputs."""
        inventory = ",".join(_listed(project, "inventory")) or "localhost"
        target = f"local:ansible:{project.path}:{inventory}:{project.options.get('playbook', '')}"
        inputs: set[str] = set()
        paths = set(source.paths())
        for name in ("roles", "group_vars", "host_vars", "ansible.cfg", "requirements.yml", "collections"):
            if any(path == name or path.startswith(f"{name}/") for path in paths):
                inputs.add(name)
        for name in _listed(project, "inventory"):
            place = posixpath.normpath(posixpath.join(project.path, name))
            if not place.startswith(".."):
                inputs.add(place)
        inputs |= _included(source, project)
        return target, tuple(sorted(inputs))

    # ---------------------------------------------------------------------------------------- validate

    executables: Final = False

    def guard(self, project: Project, source: Listing) -> Iterable[Finding]:
        """Lookups, plugins, settings, what runs on the worker or is fetched: of all files that a run checks out."""
        return guard.findings(project, source)

    def validate(self, job: Job) -> tuple[Diagnostic, ...]:
        """``--syntax-check``, and at least one host."""
        if not job.project.options.get("playbook"):
            return (Diagnostic("error", "the project needs `playbook`"),)
        executed = self._play(job, "--syntax-check")
        if executed.code != 0 or executed.timed_out:
            words = [line for line in last_words(executed) if not line.startswith("[WARNING]")]
            message = next((line for line in words if "ERROR" in line), words[-1] if words else "the syntax is wrong")
            return (Diagnostic("error", message),)
        listed = require(self._play(job, "--list-hosts"), "ansible-playbook --list-hosts")
        counts = [int(number) for number in HOSTS.findall(listed.stdout.decode("utf-8", "replace"))]
        if not any(counts):
            return (Diagnostic("error", "no host matches: the inventory and the plays have none in common"),)
        if 0 in counts:
            return (Diagnostic("warning", f"no host matches {counts.count(0)} of {len(counts)} plays"),)
        return ()

    # -------------------------------------------------------------------------------------------- plan

    def plan(self, job: Job) -> Planned:
        """A check run; the hosts it met are kept for the apply."""
        story = self._checked(job)
        effects = events.effects(story, job.key)
        unforeseen = [each.address for each in effects.resources if each.action is Action.RUN]
        warnings = (f"{len(unforeseen)} steps cannot be predicted by check mode",) if unforeseen else ()
        artifact = json.dumps({"hosts": story.hosts, "options": dict(job.project.options)}, sort_keys=True).encode()
        return Planned(effects, self._ask_version(job), artifact, warnings=warnings)

    def _checked(self, job: Job) -> events.Story:
        executed, story = self._told(job, "--check", "--diff")
        # Not without a failing exit code: what a `rescue` caught, or `ignore_errors`, did not fail.
        if executed.code != 0 and (broken := events.failures(story)):
            raise ToolFailed(broken[0], broken)
        require(executed, f"ansible-playbook ({CODES.get(executed.code, 'an error')})")
        if story.torn:
            raise ToolFailed("what the playbook would do cannot be read whole")
        if story.nobody or not story.hosts:
            raise ToolFailed("no host matches: nothing was looked at")
        return story

    # ------------------------------------------------------------------------------------------- apply

    def apply(self, job: Job, planned: Planned) -> Applied:
        """The same playbook without ``--check``, limited to the hosts that were shown."""
        hosts = json.loads(planned.artifact)["hosts"]
        # A file, as a list of many hosts is longer than a word of a command may be.
        limit = leavings.put(job.scratch, "apply.hosts", "\n".join(hosts).encode())
        executed, story = self._told(job, "--diff", "--limit", f"@{limit}")
        done, broken = events.changed(story), events.failures(story)
        if executed.code == 0 and not executed.timed_out:
            return Applied(done)
        kind = FailureKind.TIMEOUT if executed.timed_out else FailureKind.TOOL
        words = broken or last_words(executed)
        why = CODES.get(executed.code, f"exit code {executed.code}")
        return Applied(done, Failure(kind, words[0] if words else why, words))

    def verify(self, job: Job) -> Verified:
        """Check again: steps that cannot be predicted do not count against it."""
        try:
            remaining = events.effects(self._checked(job), job.key)
        except ToolError as error:
            return Verified(Verification.INCOMPLETE, notes=(str(error),))
        left = [each for each in remaining.resources if each.action is not Action.RUN]
        return Verified(Verification.NOT_CONVERGENT if left else Verification.VERIFIED, remaining)

    def owned(self, job: Job) -> int | None:
        """What playbooks once did to hosts is written down nowhere."""
        del job
        return None

    def unlock(self, job: Job, dead_run: str) -> bool:
        """Ansible locks nothing."""
        del job, dead_run
        return False

    # ---------------------------------------------------------------------------------------------- run

    def _told(self, job: Job, *words: str) -> tuple[Executed, events.Story]:
        """Play with our callback. Plugins beside a playbook go before all others, so it has another name each time:
        then the repository cannot have one of that name."""
        stage = Path(tempfile.mkdtemp(prefix="play-", dir=job.scratch))
        name = f"headgate_{stage.name.removeprefix('play-')}"
        leavings.put(job.scratch, f"{stage.name}/{name}.py", CALLBACK.read_bytes())
        ours = {
            "ANSIBLE_CALLBACK_PLUGINS": str(stage),
            "ANSIBLE_STDOUT_CALLBACK": name,
            "HEADGATE_EVENTS": str(stage / EVENTS),
        }
        executed = self._play(job, *words, ours=ours)
        text = leavings.read(job.scratch, f"{stage.name}/{EVENTS}", EVENT_BYTES) or b""
        return executed, events.read(line.decode("utf-8", "replace") for line in io.BytesIO(text))

    def _play(self, job: Job, *words: str, ours: Mapping[str, str] = NOTHING) -> Executed:
        options = job.project.options
        argv = ["ansible-playbook", str(options.get("playbook", ""))]
        for name in _listed(job.project, "inventory") or ["localhost,"]:
            argv += ["-i", name]
        for flag in ("tags", "skip_tags"):
            if _listed(job.project, flag):
                argv += [f"--{flag.replace('_', '-')}", ",".join(_listed(job.project, flag))]
        if options.get("limit") and "--limit" not in words:
            argv += ["--limit", str(options["limit"])]
        if options.get("extra_vars"):
            argv += ["--extra-vars", json.dumps(options["extra_vars"], sort_keys=True)]
        return job.sandbox.run(
            Execution(
                argv=(*argv, *words),
                cwd=job.directory,
                env={**job.env, **_environment(job), **ours},
                timeout=job.timeout,
                writable=(job.scratch,),
                network=True,
                dies_with_parent=not job.deploy,
            )
        )

    def _ask_version(self, job: Job) -> str:
        if not self._version:
            executed = job.sandbox.run(
                Execution(
                    ("ansible", "--version"),
                    job.scratch,
                    _environment(job),
                    timeout=60,
                    writable=(job.scratch,),  # it makes its temporary directory whatever it is asked
                    quiet=True,
                )
            )
            first = executed.stdout.decode("utf-8", "replace").partition("\n")[0]
            self._version = first.partition("core ")[2].rstrip("]").strip()
        return self._version


def _environment(job: Job) -> dict[str, str]:
    home = job.scratch / "ansible"
    roles = [str(job.root / "roles"), str(job.directory / "roles")]
    return {
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(home / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_CACHE_PLUGIN": "memory",
        # By default what is larger than 100 kB is not compared, so two contents would look the same.
        "ANSIBLE_MAX_DIFF_SIZE": str(COMPARED_BYTES),
        "ANSIBLE_ROLES_PATH": ":".join(roles),
    }


def _listed(project: Project, name: str) -> Sequence[str]:
    value = project.options.get(name, ())
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _is_playbook(text: bytes | None) -> bool:
    document = read(text) if text is not None else None
    plays = document.documents[0] if document is not None and len(document.documents) == 1 else None
    return isinstance(plays, yaml.SequenceNode) and bool(plays.value) and all(map(_is_play, plays.value))


def _is_play(node: yaml.Node) -> bool:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    names = [str(key.value) for key, _ in pairs if isinstance(key, yaml.ScalarNode)]
    return any(name == "hosts" or name.rpartition(".")[2] == "import_playbook" for name in names)


def _included(source: Source, project: Project) -> set[str]:
    """Files outside the project's directory that its playbook names in so many words."""
    text = source.read(posixpath.normpath(posixpath.join(project.path, str(project.options.get("playbook", "")))))
    document = read(text) if text is not None else None
    found: set[str] = set()
    for word, _, _ in document.strings() if document is not None else ():
        if word.startswith("../") and len(word) < 500:
            place = posixpath.normpath(posixpath.join(project.path, word))
            if not place.startswith(".."):
                found.add(place)
    return found
