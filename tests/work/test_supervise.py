"""Runs in processes of their own: watched, ended step by step, and as mortal as their kind wants them to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest

from bot.work.supervise import NOT_STARTED, Supervisor

Until = Callable[..., None]


class Said(Protocol):
    def words(self) -> list[str]: ...

    def numbers(self, word: str) -> list[int]: ...


@pytest.fixture
def supervisor(runs_module: str) -> Supervisor:
    return Supervisor(f"{runs_module}:main")


class Watched:
    """A run under supervision in a thread, as a worker has it."""

    def __init__(self, supervisor: Supervisor, run_id: str, **how: Any) -> None:
        self.code: int | None = None
        options = {"heartbeat": lambda: True, "every": 0.05, "die_with_parent": True, "grace": 5.0} | how

        def watch() -> None:
            self.code = supervisor.supervise(run_id, **options)

        self.thread = threading.Thread(target=watch)
        self.thread.start()


@pytest.fixture
def watch(supervisor: Supervisor, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Start a run; whatever still runs at the end of the test is told to end."""
    all_of_them: list[Watched] = []

    def start(what: str, **how: Any) -> Watched:
        watched = Watched(supervisor, f"{what}:{tmp_path}", **how)
        all_of_them.append(watched)
        return watched

    yield start
    (tmp_path / "go").touch()
    for watched in all_of_them:
        watched.thread.join(20)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("what", "code"), [("succeed", 0), ("fail", 7), ("crash", 1), ("die", -signal.SIGKILL)])
def test_how_a_run_ended_is_told(watch: Callable[..., Watched], what: str, code: int) -> None:
    watched = watch(what)
    watched.thread.join(20)

    assert watched.code == code


def test_a_run_has_a_process_and_a_session_of_its_own(watch: Callable[..., Watched], said: Said) -> None:
    watch("succeed").thread.join(20)

    [pid] = said.numbers("pid")
    assert said.numbers("session") == [pid]
    assert pid != os.getpid()


def test_nothing_of_a_run_is_in_its_command_line(
    watch: Callable[..., Watched], said: Said, until: Until, tmp_path: Path
) -> None:
    watch("wait")
    until(lambda: said.numbers("pid") != [])

    assert str(tmp_path) not in " ".join(psutil.Process(said.numbers("pid")[0]).cmdline())


def test_the_heart_beats_while_the_run_lives_and_no_longer(
    watch: Callable[..., Watched], until: Until, tmp_path: Path
) -> None:
    beats: list[float] = []

    def beat() -> bool:
        beats.append(time.monotonic())
        return True

    watched = watch("wait", heartbeat=beat)
    until(lambda: len(beats) >= 5)
    (tmp_path / "go").touch()
    watched.thread.join(20)
    counted = len(beats)

    assert watched.code == 0
    assert all(later - earlier >= 0.04 for earlier, later in pairwise(beats))
    assert len(beats) == counted


def test_a_lost_lease_interrupts_the_run_gently(watch: Callable[..., Watched], said: Said, until: Until) -> None:
    watched = watch("polite", heartbeat=lambda: said.words() == [])
    watched.thread.join(20)

    assert said.words()[-1] == "told"
    assert watched.code == 3


def test_a_run_that_ignores_being_interrupted_is_terminated(
    watch: Callable[..., Watched], said: Said, until: Until
) -> None:
    watched = watch("deaf", heartbeat=lambda: said.words() == [], grace=0.3)
    watched.thread.join(20)

    assert said.words()[-1] == "int"
    assert watched.code == -signal.SIGTERM
    for tool in said.numbers("tool"):
        os.kill(tool, signal.SIGKILL)


def test_a_run_that_ignores_everything_is_killed_with_all_it_started(
    watch: Callable[..., Watched], said: Said, until: Until
) -> None:
    watched = watch("stone", heartbeat=lambda: said.words() == [], grace=0.3)
    watched.thread.join(20)

    assert said.words()[-2:] == ["int", "term"]
    assert watched.code == -signal.SIGKILL
    assert len(said.numbers("tool")) == 2
    until(lambda: not any(alive(tool) for tool in said.numbers("tool")))


def test_a_store_that_cannot_be_reached_stops_no_run(
    watch: Callable[..., Watched], until: Until, tmp_path: Path
) -> None:
    failures: list[int] = []

    def beat() -> bool:
        failures.append(1)
        raise ConnectionError("as asked")

    watched = watch("wait", heartbeat=beat)
    until(lambda: len(failures) >= 3)
    (tmp_path / "go").touch()
    watched.thread.join(20)

    assert watched.code == 0


def test_many_threads_are_each_told_the_exit_code_of_their_own_run(supervisor: Supervisor, tmp_path: Path) -> None:
    # Python's fork server hands an exit code out once; whoever asks second is told 255.
    codes: Counter[int] = Counter()
    lock = threading.Lock()

    def work() -> None:
        for what in ("succeed", "fail") * 10:
            code = supervisor.supervise(
                f"{what}:{tmp_path}", heartbeat=lambda: True, every=5, die_with_parent=True, grace=1
            )
            with lock:
                codes[code] += 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == {0: 60, 7: 60}


def test_a_run_outlives_the_fork_server_and_is_watched_to_its_end(
    watch: Callable[..., Watched], said: Said, until: Until, tmp_path: Path
) -> None:
    beats: list[int] = []
    watched = watch("wait", heartbeat=lambda: beats.append(1) is None)
    until(lambda: said.numbers("pid") != [])
    fork_server = psutil.Process(said.numbers("pid")[0]).parent()
    assert fork_server is not None
    assert fork_server.pid != os.getpid()

    fork_server.kill()
    counted = len(beats)
    until(lambda: len(beats) > counted + 3)
    assert watched.code is None
    (tmp_path / "go").touch()
    watched.thread.join(20)

    assert said.words()[-1] == "done"
    again = watch("succeed")
    again.thread.join(20)
    assert again.code == 0


# ---------------------------------------------------------------------------------------- the worker's own end

WORKER = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from bot.work.supervise import Supervisor
supervisor = Supervisor(sys.argv[2] + ":main", tuple(sys.argv[4:]))
def run(what, dies):
    code = supervisor.supervise(
        what, heartbeat=lambda: True, every=1, die_with_parent=dies, grace=1)
    os.write(1, f"code {code}\\n".encode())  # no buffer, whose lock would be held as the process ends
kind, dies, grace = sys.argv[3].split(",")
threading.Thread(target=run, args=(kind + ":" + sys.argv[1], dies == "dies"), daemon=True).start()
sys.stdin.readline()
supervisor.shutdown(float(grace), patience=0.3)
"""


@pytest.fixture
def worker(runs_module: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A worker process with one run: ``kind,dies or lives,grace``. A line on its stdin shuts it down."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str, *preload: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", WORKER, str(tmp_path), runs_module, how, *preload]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # What a shell starts in the background ignores SIGINT, and so would its children.
        heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        process = subprocess.Popen(words, **pipes, text=True, start_new_session=True, preexec_fn=heard)  # type: ignore[call-overload]
        started.append(process)
        return process  # type: ignore[no-any-return]

    yield start
    (tmp_path / "go").touch()
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_plan_and_all_it_started_die_with_their_worker(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until
) -> None:
    process = worker("stone,dies,0")
    until(lambda: len(said.numbers("tool")) == 2)
    pids = said.numbers("pid") + said.numbers("tool")
    assert all(alive(pid) for pid in pids)

    process.kill()

    until(lambda: not any(alive(pid) for pid in pids), 5)


def test_a_deploy_outlives_its_worker_and_finishes(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until, tmp_path: Path
) -> None:
    process = worker("wait,lives,0")
    until(lambda: said.numbers("pid") != [])
    [pid] = said.numbers("pid")

    process.kill()
    process.wait()
    # A plan would be dead by now: see the test above. Give this one as long as a plan's death takes at most.
    assert not _dies_within(pid, 1.0)
    (tmp_path / "go").touch()

    until(lambda: said.words()[-1] == "done")
    until(lambda: not alive(pid))


def _dies_within(pid: int, seconds: float) -> bool:
    gone, _ = psutil.wait_procs([psutil.Process(pid)], timeout=seconds)
    return bool(gone)


def test_ctrl_c_on_the_service_reaches_no_run(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until, tmp_path: Path
) -> None:
    process = worker("wait,lives,0")
    until(lambda: said.numbers("pid") != [])

    os.killpg(process.pid, signal.SIGINT)
    process.wait(20)  # nor does a worker that ends in disorder wait for its runs
    (tmp_path / "go").touch()

    until(lambda: said.words()[-1] == "done")


def test_shutting_down_lets_a_run_finish_within_the_grace_time(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until, tmp_path: Path
) -> None:
    process = worker("wait,lives,30")
    until(lambda: said.numbers("pid") != [])

    tell(process)
    (tmp_path / "go").touch()

    assert process.wait(20) == 0
    assert said.words()[-1] == "done"


def test_shutting_down_interrupts_gently_what_does_not_finish(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until
) -> None:
    process = worker("polite,lives,0.1")
    until(lambda: said.numbers("pid") != [])

    tell(process)

    assert process.wait(20) == 0
    assert said.words()[-1] == "told"


def test_a_deploy_that_will_not_be_interrupted_does_not_hold_up_the_end(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until
) -> None:
    process = worker("deaf,lives,0.1")
    until(lambda: said.numbers("tool") != [])
    [pid] = said.numbers("pid")

    tell(process)

    assert process.wait(10) == 0
    assert said.words()[-1] == "int"
    assert alive(pid)
    for left in (*said.numbers("tool"), pid):
        os.kill(left, signal.SIGKILL)


def test_a_plan_that_will_not_be_interrupted_ends_with_its_worker(
    worker: Callable[..., subprocess.Popen[str]], said: Said, until: Until
) -> None:
    process = worker("deaf,dies,0.1")
    until(lambda: said.numbers("tool") != [])

    tell(process)

    assert process.wait(10) == 0
    until(lambda: not any(alive(pid) for pid in said.numbers("pid") + said.numbers("tool")), 5)


def test_nothing_is_started_after_shutting_down(supervisor: Supervisor, said: Said, tmp_path: Path) -> None:
    supervisor.shutdown(grace=5)

    code = supervisor.supervise(f"succeed:{tmp_path}", heartbeat=lambda: True, every=1, die_with_parent=True, grace=1)

    assert code == NOT_STARTED
    assert said.words() == []


def test_what_is_preloaded_is_imported_once_for_all_runs(runs_module: str, tmp_path: Path) -> None:
    module = tmp_path / f"{runs_module}.py"
    module.write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write('x')\n" + module.read_text())
    script = f"""
import sys
from bot.work.supervise import Supervisor
supervisor = Supervisor({runs_module + ":main"!r}, ({runs_module!r},))
supervisor.warm()
for _ in range(3):
    assert supervisor.supervise({"succeed:" + str(tmp_path)!r},
        heartbeat=lambda: True, every=1, die_with_parent=True, grace=1) == 0
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=110)

    assert (tmp_path / "imported").read_text() == "x"
