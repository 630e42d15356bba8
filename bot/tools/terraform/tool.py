"""Terraform and OpenTofu: the exact plan file is what is applied, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bot.core.errors import ToolError, ToolFailed
from bot.core.guard.model import Finding, Listing
from bot.core.project import Project
from bot.core.runs import Failure, FailureKind, Verification, machine_name
from bot.ports import Applied, Diagnostic, Executed, Execution, Found, Job, Planned, Source, Verified
from bot.tools import leavings
from bot.tools.outcome import last_words, require
from bot.tools.terraform import guard, layout, prepared, providers, reading
from bot.tools.terraform.version import known_version

LOCK_WAIT: Final = "60s"
PLAN_FILE: Final = "plan.tfplan"
ERRORED: Final = "errored.tfstate"
LARGEST: Final = 256 * 2**20
"""Bytes of a plan, in either of its forms, and of a state."""
CHANGED: Final = 2
LOCKED: Final = "Error acquiring the state lock"
HELD_ID: Final = re.compile(r"already locked: ID=(\w[\w-]*)")
INITIALISING: Final = ("init", "workspace")
STALE: Final = "Saved plan is stale"

OPTIONS: Final[Mapping[str, object]] = {
    "var_files": {
        "description": "Variable files, relative to the project's directory.",
        "type": "array",
        "items": {"type": "string", "maxLength": 500},
        "maxItems": 50,
    },
    "vars": {
        "description": "Variables; not for secrets, which come from the environment's credentials.",
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "backend_config": {
        "description": "Backend settings that the code leaves open: files, relative to the project's directory.",
        "type": "array",
        "items": {"type": "string", "maxLength": 500},
        "maxItems": 20,
    },
}


class Terraform:
    """Implements the port ``Tool`` for one binary."""

    def __init__(self, binary: str = "terraform") -> None:
        self._binary = binary

    # ------------------------------------------------------------------------------- without running it

    def option_schema(self) -> Mapping[str, object]:
        """``var_files``, ``vars``, ``backend_config``."""
        return OPTIONS

    def discover(self, source: Source) -> tuple[Found, ...]:
        """Root modules: they hold a backend, a provider or resources, and nobody calls them as a module."""
        if self._binary != "terraform":
            return ()
        code = layout.reading(source)
        called = {place for path, files in code.files.items() for place in layout.local_modules(code, path, files)}
        return tuple(
            Found(path)
            for path, files in sorted(code.files.items())
            if path not in called and "modules" not in path.split("/") and layout.is_root(code, files)
        )

    def inspect(self, project: Project, source: Source) -> tuple[str, tuple[str, ...]]:
        """The backend's place as the target; local modules and variable files as inputs."""
        code = layout.reading(source)
        kind, body = layout.backend(code, code.files.get(project.path, []))
        files = [*_listed(project, "var_files"), *_listed(project, "backend_config")]
        own = [os.path.normpath(os.path.join(project.path, name)) for name in files]  # noqa: PTH118 - a path in a tree
        inputs = (*layout.closure(code, project.path), *own)
        for path in own[len(_listed(project, "var_files")) :]:
            # What the code leaves open is said here; without it, all such projects would write the same.
            body = {**body, **layout.parse(source.read(path) or b"")}
        target = layout.target(kind, body, project.path, project.workspace)
        return target, tuple(sorted({path for path in inputs if not path.startswith("..")}))

    executables: Final = False

    def guard(self, project: Project, source: Listing) -> Iterable[Finding]:
        """Providers, modules, programs, provisioners and the backend, of the root and its local modules."""
        return guard.findings(self._binary, project, source)

    # ---------------------------------------------------------------------------------------- validate

    def validate(self, job: Job) -> tuple[Diagnostic, ...]:
        """Initialise (skipped when nothing it depends on changed), then ``validate -json``; bad format only warns."""
        self._refuse_lost_state(job)
        self._init(job)
        with ThreadPoolExecutor(1) as beside:
            formatting = beside.submit(self._run, job, "fmt", "-check", "-list=true", "-no-color", quiet=True)
            executed = self._run(job, "validate", "-json", quiet=True)
            formatted = formatting.result()
        require(executed, f"{self._binary} validate", (0, 1))
        found = list(reading.diagnostics(reading.document(executed.stdout), job.project.path))
        for name in formatted.stdout.decode("utf-8", "replace").split()[:10] if formatted.code == 3 else ():
            found.append(Diagnostic("warning", f"{name} is not formatted (`{self._binary} fmt`)"))
        return tuple(found)

    def _refuse_lost_state(self, job: Job) -> None:
        """State in the throw-away checkout would be lost with it."""
        found: list[tuple[str, Mapping[str, Any]]] = [("", {})]
        for text in prepared.code(job, ".tf"):
            written = layout.parse(text).get("terraform", [])
            for block in [each for each in written if isinstance(each, dict)] if isinstance(written, list) else ():
                found += layout.declared_backends(block)
                found += [("cloud", {})] if block.get("cloud") else []
        kind, body = found[-1]
        # The local backend keeps every workspace but the default one in `workspace_dir`, beside the code by default.
        place = "path" if job.project.workspace == "default" else "workspace_dir"
        relative = kind == "local" and not str(body.get(place, "")).startswith("/")
        if (not kind or relative) and "backend_config" not in job.project.options:
            raise ToolFailed("no lasting backend: its state would be lost with the checkout; configure a backend")

    def _init(self, job: Job) -> None:
        """``init``, unless lock file, backend, modules and version are what they were when it last succeeded."""
        folder = self._data_dir(job)
        with prepared.alone(job.cache / f"{folder.name}.lock", job.timeout):
            if prepared.ready(job, folder):
                return
            lock = prepared.committed_lock(job)
            if not self._installed_from_store(job, folder, lock):
                _emptied(folder)
                require(self._run(job, *_init_words(job, lock)), f"{self._binary} init")
                providers.keep(job.cache, f"{folder.name}/providers", _store(job))
            if lock is None:
                prepared.keep_lock(job, folder)
            if job.project.workspace != "default":
                require(
                    self._run(job, "workspace", "select", "-or-create", "-no-color", job.project.workspace),
                    f"{self._binary} workspace select",
                )
            prepared.finish(job, folder)

    def _installed_from_store(self, job: Job, folder: Path, lock: bytes | None) -> bool:
        """Whether it could be initialised without asking a registry. If not (the lock file may have no checksum of
        an unpacked package), the ordinary way says why, or goes well."""
        if lock is None or not providers.complete(_store(job), lock):
            return False
        _emptied(folder)
        done = self._run(job, *_init_words(job, lock), f"-plugin-dir={_store(job)}", quiet=True)
        return done.code == 0 and not done.timed_out

    def _data_dir(self, job: Job) -> Path:
        """``.terraform`` of this state of the project; deploys and plans have their own, as they run with other
        credentials."""
        kind = f"{Path(self._binary).name}-{'deploy' if job.deploy else 'plan'}"
        return job.cache / f"{kind}-{prepared.identity(job, self._version(job))}"

    # -------------------------------------------------------------------------------------------- plan

    def plan(self, job: Job) -> Planned:
        """A plan file and its effects. Change plans take no state lock: they are thrown away."""
        place = job.scratch / PLAN_FILE
        words = ["plan", "-input=false", "-no-color", "-detailed-exitcode", f"-out={place}"]
        words.append(f"-lock-timeout={LOCK_WAIT}" if job.deploy else "-lock=false")
        executed = self._run(job, *words, *self._variables(job))
        if LOCKED in executed.stderr.decode("utf-8", "replace"):
            raise ToolFailed("the state is locked by somebody else", last_words(executed))
        require(executed, f"{self._binary} plan", (0, CHANGED))
        shown = require(self._run(job, "show", "-json", str(place), quiet=True), f"{self._binary} show")
        if shown.truncated:
            raise ToolFailed("the plan is too large to be read")
        document = reading.document(shown.stdout)
        reading.tell_secrets(document, job.secret)
        artifact = leavings.read(job.scratch, PLAN_FILE, LARGEST)
        if artifact is None:
            raise ToolFailed(f"{self._binary} plan left no plan file")
        return Planned(
            effects=reading.effects(document, job.key),
            tool_version=self._version(job),
            artifact=artifact,
            state=reading.state_identity(artifact),
            warnings=reading.warnings(document),
        )

    def _variables(self, job: Job) -> list[str]:
        files = [f"-var-file={name}" for name in _listed(job.project, "var_files")]
        values = job.project.options.get("vars")
        pairs = [f"-var={name}={value}" for name, value in values.items()] if isinstance(values, Mapping) else []
        return [*files, *pairs]

    # ------------------------------------------------------------------------------------------- apply

    def apply(self, job: Job, planned: Planned) -> Applied:
        """Apply the plan file itself; what was done is read from the event stream, even when it stops half-way."""
        place = leavings.put(job.scratch, "apply.tfplan", planned.artifact)
        executed = self._run(job, "apply", "-input=false", "-json", f"-lock-timeout={LOCK_WAIT}", str(place))
        done, errors = reading.followed(executed.stdout)
        if executed.code == 0 and not executed.timed_out:
            return Applied(done)
        words = tuple(errors) or last_words(executed)
        text = " ".join(words)
        lost = _keep_errored(job)
        if executed.timed_out:
            why = "it took too long and was interrupted gently"
            return Applied(done, Failure(FailureKind.TIMEOUT, why + lost, words))
        if STALE in text:
            return Applied(done, Failure(FailureKind.TOOL, "the state moved since the plan was made", words))
        if LOCKED in text:
            return Applied(done, Failure(FailureKind.LOCKED, "the state is locked by somebody else", words))
        return Applied(done, Failure(FailureKind.TOOL, (words[0] if words else "it failed") + lost, words))

    def verify(self, job: Job) -> Verified:
        """Plan again: nothing may be left."""
        try:
            remaining = self.plan(job).effects
        except ToolError as error:
            return Verified(Verification.INCOMPLETE, notes=(str(error),))
        if remaining.empty:
            return Verified(Verification.VERIFIED)
        return Verified(Verification.NOT_CONVERGENT, remaining)

    def owned(self, job: Job) -> int | None:
        """Resource instances in the state."""
        self._refuse_lost_state(job)
        self._init(job)
        pulled = require(self._run(job, "state", "pull", quiet=True), f"{self._binary} state pull")
        if pulled.truncated:
            raise ToolFailed("the state is too large to be read")
        return reading.owned(reading.document(pulled.stdout)) if pulled.stdout.strip() else 0

    def unlock(self, job: Job, dead_run: str) -> bool:
        """Release the state lock that a dead run of ours left: only if the lock bears the machine name that this run
        alone had, or a person said that nobody holds it (``*``). Commands that were not isolated had the worker's
        own name, as any living terraform beside them, so their locks are left to people."""
        self._init(job)
        place = job.scratch / "probe.tfplan"
        executed = self._run(
            job, "plan", "-input=false", "-no-color", "-lock-timeout=0s", f"-out={place}", quiet=True
        )
        text = executed.stderr.decode("utf-8", "replace")
        if LOCKED not in text:
            return False
        facts = {
            name.strip(): value.strip()
            for line in text.replace("│", " ").splitlines()
            for name, colon, value in [line.strip().partition(":")]
            if colon
        }
        # Some backends (``http``) show the asker's own note and name the holder's lock by its id alone: then nobody
        # knows whose it is, and only a person may say that it is nobody's.
        named = HELD_ID.search(text)
        lock = named[1] if named else facts.get("ID", "")
        name = facts.get("Who", "").rpartition("@")[2]
        known = lock == facts.get("ID") and bool(dead_run) and name == machine_name(dead_run)
        if not lock or not (known or dead_run == "*"):
            return False
        released = self._run(job, "force-unlock", "-force", lock)
        return released.code == 0

    # -------------------------------------------------------------------------------------------- run

    def _run(self, job: Job, *words: str, quiet: bool = False) -> Executed:
        folder = self._data_dir(job)
        env = {
            **job.env,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "TF_DATA_DIR": str(folder),
            "TF_WORKSPACE": "" if words[0] == "workspace" else job.project.workspace,
        }
        if job.project.workspace == "default" or words[0] in ("workspace", "init"):
            del env["TF_WORKSPACE"]
        return job.sandbox.run(
            Execution(
                argv=(self._binary, *words),
                cwd=job.directory,
                env=env,
                timeout=job.timeout,
                # Only ``init`` fills its directory, and no other: everything after it runs code of the change.
                writable=(job.scratch, folder) if words[0] in INITIALISING else (job.scratch,),
                readable=(_store(job),) if words[0] in INITIALISING else (folder, _store(job)),
                quiet=quiet,
                network=True,
                dies_with_parent=words[0] != "apply",
                keep_bytes=LARGEST if words[0] in ("show", "state") else 32 * 2**20,
            )
        )

    def _version(self, job: Job) -> str:
        """Asked once for each binary as it is now: every run is a new process, so the answer is kept in the cache."""
        return known_version(job.cache, job.sandbox.find(self._binary), lambda: self._ask_version(job))

    def _ask_version(self, job: Job) -> str:
        execution = Execution(
            (self._binary, "version", "-json"), job.scratch, {"CHECKPOINT_DISABLE": "1"}, timeout=60, quiet=True
        )
        executed = require(job.sandbox.run(execution), f"{self._binary} version")
        return str(reading.document(executed.stdout).get("terraform_version", ""))


def _listed(project: Project, name: str) -> Sequence[str]:
    value = project.options.get(name, ())
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _store(job: Job) -> Path:
    place = job.shared / "providers"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _init_words(job: Job, lock: bytes | None) -> list[str]:
    words = ["init", "-input=false", "-no-color", "-reconfigure"]
    if lock is not None:
        words.append("-lockfile=readonly")
    return [*words, *(f"-backend-config={name}" for name in _listed(job.project, "backend_config"))]


def _keep_errored(job: Job) -> str:
    """What to say of a state that could not be written: it is the only record of what was done, so it is kept."""
    left = (job.directory / ERRORED).relative_to(job.root).as_posix()
    try:
        state = leavings.read(job.root, left, LARGEST)
    except ToolFailed as error:
        return f" ({error})"
    if state is None:
        return ""
    leavings.put(job.cache, f"errored-{job.run_id}.tfstate", state)
    return f" ({ERRORED} was kept in the project's cache)"
