"""``command``: a tool is whatever keeps this contract.

``plan`` prints one JSON document on stdout::

    {"changes": [{"address": "record.www", "action": "update", "before": {...}, "after": {...},
                  "sensitive_paths": ["value"]}]}

(``action`` one of create, update, delete, replace; ``before`` null when it is created, ``after`` null when it is
deleted). With ``exit_codes: true`` it may print none and exit like Terraform: 0 nothing to do, 2 something; it
has to be said, because many programs exit with 2 when they fail. It may leave files in
``$HEADGATE_PLAN_DIR``; ``apply`` finds them there again, with ``plan.json``, and applies exactly that.
``owned``, if there is one, prints a line for each thing that is deployed now.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bot.core.config.repository import CONFIG_FILE
from bot.core.effectset import Action, EffectSet, ResourceEffect, effect_set
from bot.core.errors import ToolError, ToolFailed
from bot.core.guard.model import Finding, Listing
from bot.core.project import Project
from bot.core.runs import Failure, FailureKind, Verification
from bot.ports import Applied, Diagnostic, Execution, Found, Job, Planned, Source, Verified
from bot.tools import leavings
from bot.tools.command import reading
from bot.tools.outcome import last_words, require

PLAN_BYTES: Final = 8 * 2**20
ARTIFACT_BYTES: Final = 64 * 2**20
CHANGED: Final = 2

_COMMAND: Final = {
    "description": "An argv list, or one line for `sh -euc`.",
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": 4000},
        {"type": "array", "items": {"type": "string", "maxLength": 4000}, "minItems": 1, "maxItems": 100},
    ],
}


class Command:
    """Implements the port ``Tool``."""

    def option_schema(self) -> Mapping[str, object]:
        """``plan`` and ``apply`` are needed; ``validate``, ``verify`` and ``owned`` are not."""
        codes = {"description": "`plan` may say 0 (nothing) or 2 (something) without JSON.", "type": "boolean"}
        return {**dict.fromkeys(("plan", "apply", "validate", "verify", "owned"), _COMMAND), "exit_codes": codes}

    def discover(self, source: Source) -> tuple[Found, ...]:
        """Nobody can see what a directory's commands would be."""
        del source
        return ()

    def inspect(self, project: Project, source: Source) -> tuple[str, tuple[str, ...]]:
        """Nothing is known but its place in the repository."""
        del source
        return f"local:command:{project.path}#{project.workspace}", ()

    executables: Final = True

    def guard(self, project: Project, source: Listing) -> Iterable[Finding]:
        """Its commands and the programs they name, to be told from those on the target branch. What a program does
        cannot be read; and one that the change brings along may say that it would do nothing."""
        for name in ("plan", "apply", "validate", "verify"):
            if name in project.options:
                given = project.options[name]
                words = [given] if isinstance(given, str) else [str(word) for word in given]  # type: ignore[attr-defined]
                what = f"`{name}` is another command than on the target branch"
                yield Finding("command", CONFIG_FILE, what, " ".join(words), project.line, mark=name)
                for path in dict.fromkeys(_named(project.path, words)):
                    entry = source.entry(path)
                    if entry is not None:
                        what = "a program that plans or deploys is another than on the target branch"
                        yield Finding("program", path, what, mark=entry.digest)

    def validate(self, job: Job) -> tuple[Diagnostic, ...]:
        """The ``validate`` command's exit code, if there is one."""
        missing = [name for name in ("plan", "apply") if name not in job.project.options]
        if missing:
            return (Diagnostic("error", f"the project needs `{missing[0]}`"),)
        if "validate" not in job.project.options:
            return ()
        executed = _run(job, "validate", job.scratch, timeout=job.timeout)
        if executed.code == 0 and not executed.timed_out:
            return ()
        words = last_words(executed)
        return (Diagnostic("error", words[-1] if words else f"`validate` ended with {executed.code}"),)

    def plan(self, job: Job) -> Planned:
        """Run ``plan`` in a fresh plan directory, which becomes the artifact."""
        folder = _fresh(job, "plan")
        by_code = job.project.options.get("exit_codes") is True
        codes = (0, CHANGED) if by_code else (0,)
        executed = require(_run(job, "plan", folder, timeout=job.timeout), "`plan`", codes)
        if executed.truncated:
            raise ToolFailed(f"`plan` printed more than {PLAN_BYTES} bytes")
        text = executed.stdout.decode("utf-8", "replace").strip()
        opaque = by_code and not text.startswith("{")
        effects = _opaque(executed.code) if opaque else reading.effects(text, job.key)
        return Planned(effects, "", artifact=_pack(job, folder, text or "{}"))

    def apply(self, job: Job, planned: Planned) -> Applied:
        """Run ``apply`` with exactly the planned directory."""
        folder = _fresh(job, "apply")
        _unpack(planned.artifact, folder)
        executed = _run(job, "apply", folder, timeout=job.timeout, deploy=True)
        if executed.code == 0 and not executed.timed_out:
            return Applied(tuple(effect.address for effect in planned.effects.resources))
        kind = FailureKind.TIMEOUT if executed.timed_out else FailureKind.TOOL
        words = last_words(executed)
        message = words[-1] if words else f"`apply` ended with exit code {executed.code}"
        return Applied((), Failure(kind, message, words))

    def verify(self, job: Job) -> Verified:
        """``verify`` when there is one, else plan again and expect nothing."""
        if "verify" in job.project.options:
            executed = _run(job, "verify", job.scratch, timeout=job.timeout)
            if executed.code == 0 and not executed.timed_out:
                return Verified(Verification.VERIFIED)
            return Verified(Verification.INCOMPLETE, notes=last_words(executed))
        try:
            remaining = self.plan(job).effects
        except ToolError as error:
            return Verified(Verification.INCOMPLETE, notes=(str(error),))
        left = Verification.VERIFIED if remaining.empty else Verification.NOT_CONVERGENT
        return Verified(left, remaining)

    def owned(self, job: Job) -> int | None:
        """The lines that ``owned`` prints; nobody knows without it."""
        if "owned" not in job.project.options:
            return None
        executed = require(_run(job, "owned", job.scratch, timeout=job.timeout), "`owned`")
        if executed.truncated:
            raise ToolFailed(f"`owned` printed more than {PLAN_BYTES} bytes")
        return sum(1 for line in executed.stdout.splitlines() if line.strip())

    def unlock(self, job: Job, dead_run: str) -> bool:
        """It has no lock that we know of."""
        del job, dead_run
        return False


def _named(directory: str, words: Iterable[str]) -> Iterable[str]:
    """The files of the repository that words of a command may stand for."""
    for word in (part for each in words for part in re.split(r"[\s;&|()<>'\"`=]+", each) if part):
        place = posixpath.normpath(posixpath.join(directory, word))
        if not place.startswith(("/", "../")):
            yield place


def _run(job: Job, name: str, folder: Path, *, timeout: float, deploy: bool = False) -> Any:
    command = job.project.options[name]
    argv = ("sh", "-euc", command) if isinstance(command, str) else tuple(str(word) for word in command)  # type: ignore[attr-defined]
    return job.sandbox.run(
        Execution(
            argv=argv,
            cwd=job.directory,
            env={**job.env, "HEADGATE_PLAN_DIR": str(folder)},
            timeout=timeout,
            keep_bytes=PLAN_BYTES,
            writable=(folder,),
            network=True,
            quiet=name in ("plan", "owned"),
            dies_with_parent=not deploy,
        )
    )


def _opaque(code: int) -> EffectSet:
    """A plan that only says whether there is something to do."""
    if code != CHANGED:
        return effect_set(())
    return effect_set([ResourceEffect("command", Action.RUN, "command")], unpredictable=1)


def _fresh(job: Job, name: str) -> Path:
    """A new directory under a name that no earlier command of the run can have foreseen."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=job.scratch))


def _pack(job: Job, folder: Path, document: str) -> bytes:
    """The plan directory and the printed document as a tar: regular files only, the same bytes for the same content.

    The document goes in from here and never by way of the directory, where a command may have laid a link.
    """
    found = leavings.contents(job.scratch, folder.name, ARTIFACT_BYTES)
    found["plan.json"] = document.encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in sorted(found.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _unpack(artifact: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(artifact), mode="r") as tar:
        tar.extractall(folder, filter="data")
