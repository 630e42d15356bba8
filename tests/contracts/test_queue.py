"""The contract of the port ``Queue`` and of the workers behind it, on every queue there is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.ports import Handler, JobKind, Queue
from bot.queues.inprocess import InProcessQueue, InProcessWorkers
from bot.queues.rq_queue import SHORT, RqQueue, RqWorkers, lane_of
from bot.queues.server import NAMES, OwnServer, connect, embedded_server, find_server


class Workers(Protocol):
    def start(self, lanes: tuple[str, ...], threads: int) -> None: ...

    def stop(self, timeout: float = 10.0) -> None: ...


@dataclass
class Place:
    """One queue to try, and how to make workers for it, flush it and kill what is behind it."""

    queue: Queue
    workers: Callable[[Handler], Workers]
    server: OwnServer | None = None
    made: list[Workers] = field(default_factory=list)

    def work(self, handler: Handler, *lanes: str, threads: int = 1) -> Workers:
        workers = self.workers(handler)
        self.made.append(workers)
        workers.start(lanes or (SHORT,), threads)
        return workers

    def redis(self) -> Any:
        assert self.server is not None
        return connect(self.server.url)


def _program(name: str) -> str:
    path, words = find_server()
    found = embedded_server() if name == "embedded" else (path if words.startswith(NAMES) else "")
    if not found:
        pytest.skip(f"no {name} redis server here")
    return found


@contextmanager
def _opened(name: str, data: Path) -> Iterator[Place]:
    if name == "in process":
        memory = InProcessQueue()
        place = Place(memory, lambda handler: InProcessWorkers(memory, handler))
    else:
        server = OwnServer(_program(name), data)
        server.start()
        queue = RqQueue(connect(server.url), "a test's")
        place = Place(queue, lambda handler: RqWorkers(queue, handler), server)
    try:
        yield place
    finally:
        for workers in place.made:
            workers.stop()
        if place.server is not None:
            place.server.stop()


@pytest.fixture(params=["in process", "embedded", "found"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Every queue there is."""
    with _opened(request.param, tmp_path) as place:
        yield place


@pytest.fixture(params=["embedded", "found"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Every queue that has a server behind it, which can be flushed and can die."""
    with _opened(request.param, tmp_path) as place:
        yield place


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.01)


class Recorder:
    """A handler that keeps what it was given, and may be told to wait or to fail."""

    def __init__(self) -> None:
        self.seen: list[tuple[JobKind, str]] = []
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, kind: JobKind, key: str) -> None:
        self.seen.append((kind, key))
        self.begun.set()
        assert self.gate.wait(20)
        if key == "fails":
            raise ValueError("as asked")

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.seen]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.gate.set()


@pytest.mark.parametrize("kind", JobKind)
def test_what_is_asked_for_is_done(place: Place, recorder: Recorder, kind: JobKind) -> None:
    place.work(recorder, lane_of(kind, "dev"))

    place.queue.put(kind, "github/acme/infra!1 ü", lane="dev")

    until(lambda: recorder.seen == [(kind, "github/acme/infra!1 ü")])


def test_a_burst_of_asks_for_the_same_is_one_waiting_job(place: Place, recorder: Recorder) -> None:
    for _ in range(300):
        place.queue.put(JobKind.ADVANCE, "a!1")

    assert place.queue.depth()[SHORT] == 1


def test_asks_from_many_threads_at_once_are_one_waiting_job(place: Place) -> None:
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for number in range(20):
            place.queue.put(JobKind.ADVANCE, f"a!{number}")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert place.queue.depth()[SHORT] == 20


def test_the_same_key_of_another_kind_is_another_job(place: Place, recorder: Recorder) -> None:
    place.queue.put(JobKind.ADVANCE, "a!1")
    place.queue.put(JobKind.WATCH, "a!1")
    place.work(recorder)

    until(lambda: len(recorder.seen) == 2)


def test_an_ask_while_the_job_runs_leads_to_one_more_run(place: Place, recorder: Recorder) -> None:
    recorder.gate.clear()
    place.work(recorder)
    place.queue.put(JobKind.ADVANCE, "a!1")
    assert recorder.begun.wait(10)

    for _ in range(10):
        place.queue.put(JobKind.ADVANCE, "a!1")
    assert place.queue.depth()[SHORT] == 1
    recorder.gate.set()

    until(lambda: len(recorder.seen) == 2)
    until(lambda: place.queue.depth()[SHORT] == 0)
    place.queue.put(JobKind.ADVANCE, "last")
    until(lambda: recorder.keys[-1] == "last")
    assert recorder.keys == ["a!1", "a!1", "last"]


def test_first_come_is_first_done(place: Place, recorder: Recorder) -> None:
    keys = [f"a!{number}" for number in range(20)]
    for key in keys:
        place.queue.put(JobKind.ADVANCE, key)
    place.queue.put(JobKind.ADVANCE, "a!0")  # an ask that is made again keeps its place

    place.work(recorder)

    until(lambda: len(recorder.seen) == len(keys))
    assert recorder.keys == keys


def test_two_workers_share_and_no_job_is_done_twice(place: Place, recorder: Recorder) -> None:
    together = threading.Barrier(2)

    def handler(kind: JobKind, key: str) -> None:
        if key in ("left", "right"):
            together.wait(10)  # passes only if both are at work at the same time
        recorder(kind, key)

    place.work(handler)
    place.work(handler)
    for key in ("left", "right", *map(str, range(30))):
        place.queue.put(JobKind.ADVANCE, key)

    until(lambda: len(recorder.seen) >= 32)
    assert len(set(recorder.seen)) == len(recorder.seen) == 32


def test_a_worker_takes_nothing_from_lanes_it_does_not_serve(place: Place, recorder: Recorder) -> None:
    place.queue.put(JobKind.RUN, "p", lane="prod")
    place.queue.put(JobKind.RUN, "d", lane="dev")
    place.work(recorder, lane_of(JobKind.RUN, "dev"))

    until(lambda: recorder.keys == ["d"])
    place.queue.put(JobKind.RUN, "d2", lane="dev")
    until(lambda: recorder.keys == ["d", "d2"])
    assert place.queue.depth() == {"run:prod": 1, "run:dev": 0}


def test_a_busy_lane_does_not_starve_another(place: Place, recorder: Recorder) -> None:
    for number in range(30):
        place.queue.put(JobKind.RUN, f"d{number}", lane="dev")
    place.queue.put(JobKind.RUN, "p", lane="prod")

    place.work(recorder, "run:dev", "run:prod")

    until(lambda: len(recorder.seen) == 31)
    assert recorder.keys.index("p") < 5


def test_a_job_that_fails_does_not_end_its_worker(place: Place, recorder: Recorder) -> None:
    place.work(recorder)

    place.queue.put(JobKind.ADVANCE, "fails")
    place.queue.put(JobKind.ADVANCE, "works")
    until(lambda: recorder.keys == ["fails", "works"])
    place.queue.put(JobKind.ADVANCE, "fails")

    until(lambda: recorder.keys == ["fails", "works", "fails"])


def test_an_idle_worker_stops_quickly_and_takes_nothing_more(place: Place, recorder: Recorder) -> None:
    workers = place.work(recorder, threads=3)
    place.queue.put(JobKind.ADVANCE, "before")
    until(lambda: recorder.keys == ["before"])

    began = time.monotonic()
    workers.stop()
    took = time.monotonic() - began
    place.queue.put(JobKind.ADVANCE, "after")

    assert took < 3
    assert place.queue.depth()[SHORT] == 1
    assert recorder.keys == ["before"]


def test_stopping_waits_for_the_job_at_hand_but_not_for_ever(place: Place, recorder: Recorder) -> None:
    recorder.gate.clear()
    workers = place.work(recorder)
    place.queue.put(JobKind.ADVANCE, "long")
    assert recorder.begun.wait(10)

    began = time.monotonic()
    workers.stop(timeout=0.3)

    assert 0.25 < time.monotonic() - began < 3


def test_a_flush_loses_what_waits_and_nothing_else(served: Place, recorder: Recorder) -> None:
    redis = served.redis()
    served.queue.put(JobKind.ADVANCE, "a!1")
    redis.flushall()
    assert served.queue.depth() == {}

    served.work(recorder)
    served.queue.put(JobKind.ADVANCE, "a!1")

    until(lambda: recorder.keys == ["a!1"])


def test_a_flush_under_a_running_job_leaves_the_worker_working(served: Place, recorder: Recorder) -> None:
    redis = served.redis()
    recorder.gate.clear()
    served.work(recorder)
    served.queue.put(JobKind.ADVANCE, "a!1")
    assert recorder.begun.wait(10)
    redis.flushall()
    recorder.gate.set()

    served.queue.put(JobKind.ADVANCE, "a!1")
    until(lambda: len(recorder.seen) == 2)
    served.queue.put(JobKind.ADVANCE, "a!2")
    until(lambda: recorder.keys == ["a!1", "a!1", "a!2"])


def test_flushes_at_any_moment_never_stop_the_work(served: Place, recorder: Recorder) -> None:
    redis = served.redis()
    served.work(recorder, threads=3)
    done = threading.Event()

    def flush() -> None:
        while not done.wait(0.002):
            redis.flushall()

    flusher = threading.Thread(target=flush)
    flusher.start()
    for number in range(300):
        served.queue.put(JobKind.ADVANCE, f"a!{number}")
    done.set()
    flusher.join()

    served.queue.put(JobKind.ADVANCE, "last")
    until(lambda: "last" in recorder.keys)


def test_a_killed_server_is_started_again_and_later_asks_are_done(served: Place, recorder: Recorder) -> None:
    server = served.server
    assert server is not None
    recorder.gate.clear()
    served.work(recorder, threads=2)
    served.queue.put(JobKind.ADVANCE, "under way")
    assert recorder.begun.wait(10)
    first = server.pid

    _kill(first)
    served.queue.put(JobKind.ADVANCE, "lost or not")  # never raises
    recorder.gate.set()
    until(lambda: server.pid not in (0, first))

    def asked() -> bool:
        served.queue.put(JobKind.ADVANCE, "later")
        return "later" in recorder.keys

    until(asked, 20)


def test_a_job_that_waits_outlives_its_server(served: Place, recorder: Recorder) -> None:
    redis = served.redis()
    served.queue.put(JobKind.ADVANCE, "a!1")
    until(lambda: int(redis.info("persistence")["aof_enabled"]) == 1)
    server = served.server
    assert server is not None
    first = server.pid
    _kill(first)
    until(lambda: server.pid not in (0, first))

    served.work(recorder)

    until(lambda: recorder.keys == ["a!1"], 20)


def test_it_says_what_is_behind_it(place: Place) -> None:
    assert place.queue.ping()


def _kill(pid: int) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)
