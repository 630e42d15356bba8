"""Prints what a run costs beyond its tool: 50 planned projects against 50 bare runs of the same command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot.core.model import ChangeRef, RepoRef
from bot.core.project import Project
from bot.core.record import Memory
from bot.core.rules import Settings
from bot.core.runs import Run, RunKind, RunState
from bot.flow.run import execute
from bot.flow.services import Services
from bot.mirror.git import GitMirror
from bot.ports import Commit
from bot.wiring import SilentQueue, Wiring
from bot.work.process import current_holder

RUNS = 50
REF = ChangeRef(RepoRef("local", "acme/infra"), 1)
PLAN = json.dumps(
    {"changes": [{"address": "record.www", "action": "create", "before": None, "after": {"value": "1"}}]}
)


def repository(folder: Path) -> str:
    """A repository with 50 projects; its commit."""
    for number in range(RUNS):
        place = folder / "live" / f"p{number}"
        place.mkdir(parents=True)
        (place / "plan.json").write_text(PLAN)
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def project(number: int, command: list[str]) -> Project:
    name = f"p{number}"
    return Project(
        name,
        f"live/{name}",
        "command",
        target=f"local:{name}",
        inputs=(),
        options={"plan": command, "apply": command},
    )


def queue_runs(services: Services, commit: str, command: list[str], prefix: str) -> list[str]:
    """Put one plan per project into the store, the way an advance does."""
    now = services.clock.now()
    runs = tuple(
        Run(f"{prefix}{number:04}", REF, RunKind.PLAN, project(number, command), commit, f"d{number}", now)
        for number in range(RUNS)
    )
    services.store.mark_dirty(REF, refetch=False)
    row = services.store.change(REF)
    assert row is not None
    decided = Commit(Memory(), cleared=row.dirty, refetched=False, state="open", wake_at=None, runs=runs)
    services.store.commit_change(row, decided, now)
    return [run.id for run in runs]


def ours(services: Services, ids: list[str]) -> float:
    """Seconds to claim, check out, plan and record all runs, one after another."""
    start = time.perf_counter()
    for run_id in ids:
        run = services.store.claim_run(run_id, current_holder(), services.clock.now(), timedelta(hours=1))
        assert run is not None
        finished = execute(services, run, lambda: False)
        if finished.state is not RunState.SUCCEEDED:
            raise SystemExit(f"{run_id}: {finished.failure}")
    return time.perf_counter() - start


def bare(folder: Path, command: list[str]) -> float:
    """Seconds to run the same command in each directory and read what it printed."""
    start = time.perf_counter()
    for number in range(RUNS):
        done = subprocess.run(command, cwd=folder / "live" / f"p{number}", check=True, capture_output=True)
        json.loads(done.stdout)
    return time.perf_counter() - start


def main() -> int:
    """One line per tool: one that takes no time, one that takes as long as a fast real one."""
    with tempfile.TemporaryDirectory(prefix="headgate-runs-") as name:
        folder = Path(name)
        commit = repository(folder / "repo")
        wiring = Wiring(folder / "none.yaml", Settings(data=str(folder / "data")))
        store = wiring.store()
        store.migrate()
        mirror = GitMirror(folder / "mirror.git", str(folder / "repo"), lambda: None)
        services = replace(wiring.services(SilentQueue(), store), mirror=lambda _: mirror)
        try:
            print(f"{f'{RUNS} plans of a tool that takes':<34}{'headgate s':>11}{'bare s':>9}{'ratio':>8}{'more':>9}")
            for words, command in {
                "no time (cat)": ["cat", "plan.json"],
                "half a second": ["sh", "-c", "sleep 0.5; cat plan.json"],
            }.items():
                ids = queue_runs(services, commit, command, f"{words[:2].strip()}{os.getpid()}-")
                mine, other = ours(services, ids), bare(folder / "repo", command)
                each = 1000 * (mine - other) / RUNS
                print(f"{words:<34}{mine:>11.2f}{other:>9.2f}{mine / other:>8.2f}{each:>6.0f} ms")
        finally:
            mirror.close()
            store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
