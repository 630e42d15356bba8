"""One run: checkout -> tool -> record. Executed in a process of its own that owns the claim's fencing token."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.core import leftovers
from bot.core.compare import match, remainder
from bot.core.effectset import EffectSet, fingerprint, oversized
from bot.core.errors import (
    HostError,
    NoCredentials,
    StoreConflict,
    ToolError,
    ToolFailed,
    ToolKilled,
    ToolMissing,
    ToolTimeout,
)
from bot.core.identity import Bearer
from bot.core.inputs import reads
from bot.core.redaction import Redactor
from bot.core.redaction.effects import concealed
from bot.core.rules import Environment, Grant
from bot.core.runs import Failure, FailureKind, PlanResult, Run, RunKind, Step, Verification
from bot.flow.announcing import announcement
from bot.flow.services import Services
from bot.ports import AuditEntry, Confinement, Diagnostic, Job, LogSink, Mirror, Planned, Tool

log = logging.getLogger(__name__)

EMPTY = EffectSet()

MOST_APPLIED = 1000
"""Addresses in one row of the record."""
LONGEST_LINE = 500
MOST_LINES = 50
"""Of what a tool said, as it is kept with its run and shown; its log has all of it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What one run works with: its tool, its job in the checkout, its log."""

    tool: Tool
    job: Job
    log: LogSink
    redactor: Redactor


def execute(services: Services, run: Run, stopped: Callable[[], bool]) -> Run:
    """Carry a claimed run to its end and record it. ``stopped`` says that it was told to stop.

    Raises StoreConflict when the claim is no longer ours: whatever was found then belongs to nobody.
    """
    sink = services.log(run.id)
    redactor = Redactor(())
    started = services.clock.now()
    try:
        with tempfile.TemporaryDirectory(prefix=f"run-{run.id[:8]}-", dir=_runs_dir(services)) as scratch:
            bench = _set_up(services, run, sink, redactor, stopped, Path(scratch))
            step, run = _carry(services, run, bench)
    except ToolKilled as error:
        # It did not fail: a plan is made again, a deploy reads back first and goes on with what is left.
        return services.store.bury_run(replace(run, log=sink.close()), services.clock.now(), str(error))
    except ToolMissing as error:
        step, run = Step.FAIL, _failed(run, FailureKind.MISSING, str(error), ())
    except ToolTimeout as error:
        step, run = Step.FAIL, _failed(run, FailureKind.TIMEOUT, str(error), ())
    except ToolError as error:
        details = error.diagnostics if isinstance(error, ToolFailed) else ()
        step, run = Step.FAIL, _failed(run, FailureKind.TOOL, str(error), details)
    except NoCredentials as error:
        step, run = Step.FAIL, _failed(run, FailureKind.MISSING, str(error), ())
    except HostError as error:
        step, run = Step.FAIL, _failed(run, FailureKind.CHECKOUT, str(error), ())
    except StoreConflict:
        sink.close()
        raise
    except Exception as error:
        log.exception("run %s", run.id)
        step, run = Step.FAIL, _failed(run, FailureKind.INTERNAL, f"internal error ({type(error).__name__})", ())
    if run.failure is not None:
        failure = _shown(run.failure, redactor)
        run = replace(run, failure=failure)
        sink.write(f"\n{failure.message}\n")
    if stopped() and run.kind is RunKind.PLAN:
        step = Step.CANCEL
    run = replace(run, log=sink.close())
    if stopped() and run.failure is not None and run.kind is RunKind.DEPLOY:
        # It was interrupted, not refused: the next attempt reads back and goes on with what is left.
        return services.store.bury_run(run, services.clock.now(), "it was interrupted by a shutdown")
    seconds = round((services.clock.now() - started).total_seconds(), 1)
    return services.store.finish_run(run, step, services.clock.now(), _audit(run, step, seconds))


def _audit(run: Run, step: Step, seconds: float) -> AuditEntry:
    detail: dict[str, object] = {
        "run": run.id,
        "project": run.project.name,
        "commit": run.commit,
        "outcome": step.value,
        "seconds": seconds,
    }
    if run.plan is not None:
        detail["plan"] = run.plan.fingerprint
        detail["artifact"] = run.plan.digest
    if run.accepted_by:
        detail["accepted_by"] = list(run.accepted_by)
    if run.applied:
        detail["applied"] = [address[:LONGEST_LINE] for address in run.applied[:MOST_APPLIED]]
    return AuditEntry("headgate", f"{run.kind.value}.{step.value}", str(run.change), detail)


def _failed(run: Run, kind: FailureKind, message: str, details: tuple[str, ...]) -> Run:
    return replace(run, failure=Failure(kind, message, details))


def _shown(failure: Failure, redactor: Redactor) -> Failure:
    """As people may see it. Cut only after it was redacted: half of a secret is not recognised."""
    return replace(
        failure,
        message=redactor.text(failure.message)[:LONGEST_LINE],
        details=tuple(line[:LONGEST_LINE] for line in _redacted(failure.details, redactor)[:MOST_LINES]),
    )


def _redacted(lines: tuple[str, ...], redactor: Redactor) -> tuple[str, ...]:
    """Together, as a private key is known by the line it begins with."""
    return tuple(redactor.text("\n".join(lines)).split("\n")) if lines else ()


def _runs_dir(services: Services) -> Path:
    path = services.data / "runs"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


# ------------------------------------------------------------------------------------------- set-up


def _set_up(
    services: Services, run: Run, sink: LogSink, redactor: Redactor, stopped: Callable[[], bool], scratch: Path
) -> Bench:
    """The sparse checkout at this run's own path, the sandbox, and exactly the credentials of this step."""
    tool = services.tools.get(run.project.tool)
    if tool is None:
        raise ToolMissing(f"no tool is called {run.project.tool}")
    root = scratch / "tree"
    mirror = services.mirror(run.change.repo)
    _make_present(mirror, run)
    mirror.checkout(run.commit, reads(run.project, mirror.source(run.commit).paths()), root)
    environment = services.settings.environment(run.project.environment)
    if services.environments is not None and run.project.environment not in services.environments:
        raise NoCredentials(f"this worker does not serve the environment {run.project.environment!r}")
    grant = _grant(run, environment)
    limits = services.settings.limits
    timeout = limits.deploy_timeout if run.kind is RunKind.DEPLOY else limits.plan_timeout
    private = scratch / "credentials"
    private.mkdir(mode=0o700)
    credentials = services.credentials(grant, Bearer.of(run), private, redactor, timeout)
    sink.write(announcement(run, grant, environment.network, credentials.given, _end(services, timeout)))
    own = scratch / "scratch"
    own.mkdir(mode=0o700)
    job = Job(
        run_id=run.id,
        project=run.project,
        root=root,
        directory=root / run.project.path,
        scratch=own,
        cache=_cache(services, run),
        shared=_shared(services, run),
        sandbox=services.sandbox(
            Confinement(
                run_id=run.id,
                tree=root,
                redactor=redactor,
                log=sink.write,
                stopped=stopped,
                network=environment.network,
                readable=(*(Path(each) for each in grant.readable), private),
                writable=tuple(Path(each) for each in grant.writable),
                untrusted=run.stranger,
            )
        ),
        env=credentials.env,
        key=services.effects_key,
        secret=redactor.add,
        timeout=timeout,
        deploy=run.kind is RunKind.DEPLOY,
    )
    return Bench(tool, job, sink, redactor)


def _grant(run: Run, environment: Environment) -> Grant:
    """Of this step alone; nothing where no environment is granted, nor for strangers unless the operator says so."""
    grant = environment.apply if run.kind is RunKind.DEPLOY else environment.plan
    return Grant() if not run.project.environment or (run.stranger and not grant.strangers) else grant


def _end(services: Services, timeout: float) -> datetime:
    """When the step is stopped at the latest."""
    return services.clock.now() + timedelta(seconds=timeout)


def _cache(services: Services, run: Run) -> Path:
    """What runs of one project share; strangers' runs share nothing with the others."""
    whose = f"{run.change.repo}:{run.project.name}" + (":strangers" if run.stranger else "")
    cache = services.data / "cache" / hashlib.sha256(whose.encode()).hexdigest()[:20]
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cache


def _shared(services: Services, run: Run) -> Path:
    """What runs of all projects share, again without strangers among the others."""
    shared = services.data / "cache" / ("shared-strangers" if run.stranger else "shared")
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shared


def _make_present(mirror: Mirror, run: Run) -> None:
    """Fetch what is missing here; a plan's synthetic merge is made again, it is the same on every machine."""
    if mirror.has(run.commit):
        return
    if run.base and run.head:
        mirror.fetch((run.base, run.head), change=run.change.number)
        mirror.merge(run.base, run.head)
    else:
        mirror.fetch((run.commit,))


# ------------------------------------------------------------------------------------------ carrying


def _carry(services: Services, run: Run, bench: Bench) -> tuple[Step, Run]:
    if run.unlock and bench.tool.unlock(bench.job, run.unlock):
        bench.log.write("released the state lock that the dead run left behind\n")
    if run.counts:
        return Step.SUCCEED, replace(run, plan=_counted(services, bench))
    findings = bench.tool.validate(bench.job)
    errors = tuple(_sentence(finding) for finding in findings if finding.level == "error")
    if errors:
        message = errors[0] if len(errors) == 1 else f"{len(errors)} errors, first: {errors[0]}"
        return Step.FAIL, _failed(run, FailureKind.INVALID, message, errors)
    begun = services.clock.now()
    planned = bench.tool.plan(bench.job)
    seconds = (services.clock.now() - begun).total_seconds()
    if why := oversized(planned.effects):
        raise ToolFailed(f"the plan {why}")
    said = tuple(_sentence(finding) for finding in findings) + planned.warnings
    warnings = tuple(line[:LONGEST_LINE] for line in _redacted(said, bench.redactor)[:MOST_LINES])
    reviewed = _reviewed(services, run)
    shown = concealed(planned.effects, bench.redactor, services.effects_key, reviewed or EMPTY)
    result = _result(services, run, replace(planned, effects=shown), warnings, seconds)
    run = replace(run, plan=result)
    services.store.put_effect_sets({result.fingerprint: shown})
    if run.kind is RunKind.PLAN:
        return Step.SUCCEED, run
    if not _allowed(services, run, reviewed, shown):
        bench.log.write("\nNot applied: this is not what was reviewed.\n")
        return Step.DIFFER, run
    return _deploy(services, run, bench, planned, result)


def _counted(services: Services, bench: Bench) -> PlanResult:
    """What a project owns that is to be removed; nothing is planned for it."""
    begun = services.clock.now()
    count = bench.tool.owned(bench.job)
    bench.log.write("It cannot be told what it owns.\n" if count is None else f"Things it owns: {count}\n")
    seconds = (services.clock.now() - begun).total_seconds()
    effects = leftovers.effects(bench.job.project, count)
    name = fingerprint(services.effects_key, effects)
    services.store.put_effect_sets({name: effects})
    return PlanResult(fingerprint=name, seconds=round(seconds, 2), owned=count)


def _sentence(finding: Diagnostic) -> str:
    where = f"{finding.path}:{finding.line}: " if finding.path and finding.line else ""
    return f"{where}{finding.message}"


def _result(services: Services, run: Run, planned: Planned, warnings: tuple[str, ...], seconds: float) -> PlanResult:
    """A deploy's exact plan is kept, encrypted, as evidence; a change's plan is thrown away with its run."""
    kept = planned.artifact if run.kind is RunKind.DEPLOY else b""
    return PlanResult(
        fingerprint=fingerprint(services.effects_key, planned.effects),
        tool_version=planned.tool_version,
        digest=hashlib.sha256(planned.artifact).hexdigest() if planned.artifact else "",
        artifact=services.artifacts.put("plan", kept, owner=run.id) if kept else "",
        state=planned.state,
        warnings=warnings,
        seconds=round(seconds, 2),
    )


def _deploy(services: Services, run: Run, bench: Bench, planned: Planned, result: PlanResult) -> tuple[Step, Run]:
    """Apply exactly this plan; read back."""
    if planned.effects.empty:
        bench.log.write("\nNothing to do.\n")
        return Step.SUCCEED, replace(run, verification=Verification.VERIFIED)
    run = services.store.mark_applying(run, result)
    applied = bench.tool.apply(bench.job, planned)
    run = replace(run, applied=tuple(map(bench.redactor.text, applied.done)))
    if applied.failure is not None:
        return Step.FAIL, replace(run, failure=applied.failure)
    verified = bench.tool.verify(bench.job)
    run = replace(run, verification=verified.outcome)
    for note in _redacted(verified.notes, bench.redactor):
        bench.log.write(f"{note}\n")
    if verified.outcome is Verification.INCOMPLETE:
        message = "it was applied, but reading back did not come to an end, so nobody knows whether it is complete"
        return Step.FAIL, _failed(run, FailureKind.NOT_CONVERGENT, message, verified.notes)
    return Step.SUCCEED, run


def _reviewed(services: Services, run: Run) -> EffectSet | None:
    """What people saw before this deploy; nothing for a plan, None when it is not to be found."""
    return services.store.effect_sets((run.reviewed,)).get(run.reviewed) if run.reviewed else EMPTY


def _allowed(services: Services, run: Run, reviewed: EffectSet | None, now: EffectSet) -> bool:
    """Whether these effects are the reviewed ones (or, reading back, what is left of them)."""
    if now.empty:
        return True
    if reviewed is None:
        return False
    if run.readback:
        return remainder(reviewed, now).equal
    volatile = services.settings.environment(run.project.environment).volatile
    produced = bool(run.project.depends_on) and _a_producer_deployed(services, run)
    return match(reviewed, now, volatile=volatile, made_known=produced).equal


def _a_producer_deployed(services: Services, run: Run) -> bool:
    """Only a project it depends on, deployed by the same change, can have made unknown values known."""
    names = set(run.project.depends_on)
    return any(
        other.kind is RunKind.DEPLOY and other.project.name in names and other.state.value == "succeeded"
        for other in services.store.runs_of(run.change)
    )
