"""A worker of one environment holds nothing of another's, and carries out none of its runs, whatever it is told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import PLAN

from bot.cli.worker import _kept_apart
from bot.core.model import ChangeRef
from bot.core.rules import Grant
from bot.core.runs import RunState
from bot.flow.run import execute
from bot.ports import JobKind
from bot.queues.rq_queue import RqQueue, RqWorkers
from bot.queues.server import OwnServer, connect, find_server
from bot.wiring import ENVIRONMENTS_VARIABLE, Wiring
from bot.work.jobs import Jobs
from bot.work.supervise import Supervisor

INHERITED = """
import os
from pathlib import Path

def main(place):
    Path(place).write_text(repr(sorted(os.environ)) + Path("/proc/self/environ").read_text())
"""


class DevWorker:
    """A worker started for dev, in a world where a change of both environments waits; prod's secrets are not here."""

    def __init__(self, world: Any) -> None:
        text = world.config.read_text()
        before, mark, prod = text.partition("  prod: {")
        prod = prod.replace("plan: {env: {", "plan: {files: {GONE: {file: /no/where}}, env: {")
        world.config.write_text(before + mark + prod)
        self.world = world
        wiring = Wiring(world.config, environments=("dev",))
        world.services = wiring.services(world.queue, world.store)
        world.jobs = Jobs(world.services, world.runs)
        files = {"dev/web/wanted": "a=2\n", "prod/web/wanted": "a=2\n"}
        world.repo.commit("topic-1", files=files, author="dee", message="both")
        pull = world.repo.open_pull("both", head="topic-1", author="dee")
        assert world.forge.courier.settle()
        self.ref = ChangeRef(world.repo_ref, pull.number)
        world.work()

    def run_of(self, environment: str) -> Any:
        [run] = [each for each in self.world.store.runs_of(self.ref) if each.project.environment == environment]
        return run


@pytest.fixture
def dev(make_world: Callable[..., Any]) -> DevWorker:
    return DevWorker(make_world())


def test_it_carries_out_its_own_runs_though_the_others_secrets_are_not_here(dev: DevWorker) -> None:
    assert dev.run_of("dev").state is RunState.SUCCEEDED
    assert dev.run_of("prod").state is RunState.QUEUED
    assert dev.world.services.settings.environment("prod").plan == Grant()
    assert dev.world.services.settings.environment("dev").plan.env


def test_a_forged_message_in_its_lane_moves_no_run_of_another(dev: DevWorker, tmp_path: Path) -> None:
    program, _ = find_server()
    if not program:
        pytest.skip("no redis server here")
    server = OwnServer(program, tmp_path / "r")
    server.start()
    seen: list[str] = []

    def handler(kind: JobKind, key: str) -> None:
        dev.world.jobs(kind, key)
        seen.append(key)

    queue = RqQueue(connect(server.url), "redis", prefix="forged")
    workers = RqWorkers(queue, handler)
    try:
        workers.start(("run:dev",), 1)
        forged = dev.run_of("prod").id
        queue.put(JobKind.RUN, forged, lane="dev")
        deadline = time.monotonic() + 30
        while forged not in seen:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        workers.stop(timeout=10)
        server.stop()

    assert dev.run_of("prod").state is RunState.QUEUED
    assert dev.run_of("prod").holder is None


def test_even_a_run_that_was_claimed_for_it_is_not_begun(dev: DevWorker) -> None:
    whole = Wiring(dev.world.config).services(dev.world.queue, dev.world.store)
    began: list[Any] = []

    class Claiming:
        def supervise(self, run_id: str, **_: object) -> int:
            began.append(execute(dev.world.services, dev.world.store.run(run_id), lambda: False))
            return 0

    Jobs(whole, Claiming())(JobKind.RUN, dev.run_of("prod").id)  # type: ignore[arg-type]

    [run] = began
    assert run.state is RunState.FAILED
    assert run.failure is not None and "does not serve the environment 'prod'" in run.failure.message


def test_its_runs_inherit_no_variable_of_another_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs_inheriting.py").write_text(INHERITED)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("PROD_WORD", "DEV_WORD", "BOTH_WORD", "CHAT_WORD"):
        monkeypatch.setenv(name, "quartz")
    monkeypatch.setenv(ENVIRONMENTS_VARIABLE, "")
    config = tmp_path / "headgate-server.yaml"
    config.write_text(
        "data: data\nenvironments:\n"
        "  dev: {plan: {env: {A: env:DEV_WORD, B: env:BOTH_WORD}}}\n"
        "  prod: {plan: {env: {A: env:PROD_WORD, B: env:BOTH_WORD}, files: {C: env:CHAT_WORD}}}\n"
        "chat: [{to: {webhook: {url: 'https://c.example', secret: env:CHAT_WORD}}}]\n"
    )

    wiring = _kept_apart(Wiring(config), ("dev",))
    supervisor = Supervisor("runs_inheriting:main")
    code = supervisor.supervise(
        str(tmp_path / "told"), heartbeat=lambda: True, every=1.0, die_with_parent=True, grace=5.0
    )

    assert code == 0
    told = (tmp_path / "told").read_text()
    assert "PROD_WORD" not in told and "PROD_WORD" not in os.environ
    assert all(name in told for name in ("DEV_WORD", "BOTH_WORD", "CHAT_WORD", ENVIRONMENTS_VARIABLE))
    assert wiring.environments == {"dev"}


@pytest.mark.skipif(sys.platform != "linux", reason="walls are Linux's")
def test_a_command_behind_the_walls_sees_no_process_of_the_worker(make_world: Callable[..., Any]) -> None:
    spy = (
        "import glob, os, sys\n"
        "found = [(p, open(p, 'rb').read()) for p in glob.glob('/proc/[0-9]*/environ') if os.access(p, os.R_OK)]\n"
        "print('seen', len(found), sum(b'PYTEST_CURRENT' in each or b'PYTHONPATH' in each for _, each in found),\n"
        "      os.getppid(), file=sys.stderr)\n"
    )
    world = make_world(files={"plan.py": spy + PLAN})
    pull = world.pull({"dev/web/wanted": "a=2\n"})

    [run] = world.store.runs_of(ChangeRef(world.repo_ref, pull.number))
    text, _, _ = world.wiring.log_reader(world.store)(run.id, -1)
    words = next(line for line in text.splitlines() if line.startswith("seen ")).split()
    assert int(words[1]) >= 1 and words[2] == "0"
    assert int(words[3]) <= 2  # the walls' own first process, and no other
