"""What only the queue on Redis has to promise: nothing piles up there, and a dead server hurts nobody."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.ports import JobKind
from bot.queues.rq_queue import NOTE_SECONDS, SHORT, SOCKET_SECONDS, RqQueue, RqWorkers, lane_of
from bot.queues.server import OwnServer, connect


@pytest.fixture
def queue(server: OwnServer) -> RqQueue:
    return RqQueue(connect(server.url), "a test's")


@pytest.fixture
def dead(tmp_path: Path) -> RqQueue:
    return RqQueue(connect(f"unix://{tmp_path}/nobody.sock"), "nobody")


def test_only_runs_have_a_lane_of_their_environment() -> None:
    assert lane_of(JobKind.RUN, "prod") == "run:prod"
    assert lane_of(JobKind.RUN, "") == "run:none"
    assert {lane_of(kind, "prod") for kind in JobKind if kind is not JobKind.RUN} == {SHORT}


def test_work_that_is_done_leaves_nothing_but_short_lived_notes(queue: RqQueue, until: Callable[..., None]) -> None:
    seen: list[str] = []

    def handler(kind: JobKind, key: str) -> None:
        seen.append(key)
        if key == "k7":
            raise ValueError("as asked")

    workers = RqWorkers(queue, handler)
    workers.start((SHORT,), 2)
    for number in range(30):
        queue.put(JobKind.ADVANCE, f"k{number}")
    until(lambda: len(seen) == 30)
    workers.stop()

    redis = queue.redis()
    names = {key.decode(): redis.ttl(key) for key in redis.keys("*")}
    lasting = {name for name, seconds in names.items() if seconds < 0}
    assert lasting == {"rq:queues", "headgate:lanes"}
    assert all(seconds <= NOTE_SECONDS for seconds in names.values())


def test_a_note_that_was_left_behind_blocks_nothing(queue: RqQueue) -> None:
    queue.put(JobKind.ADVANCE, "a!1")
    queue.redis().delete(queue.queue(SHORT).key)  # the job is gone, its note is not

    queue.put(JobKind.ADVANCE, "a!1")

    assert queue.depth()[SHORT] == 1


def test_a_job_whose_data_is_gone_is_passed_over(queue: RqQueue, until: Callable[..., None]) -> None:
    seen: list[str] = []
    queue.put(JobKind.ADVANCE, "lost")
    for key in queue.redis().keys("rq:job:*"):
        queue.redis().delete(key)
    queue.put(JobKind.ADVANCE, "kept")

    workers = RqWorkers(queue, lambda kind, key: seen.append(key))
    workers.start((SHORT,), 1)

    until(lambda: seen == ["kept"])
    workers.stop()


def test_two_instances_on_one_redis_do_not_see_each_other(server: OwnServer) -> None:
    mine, theirs = (RqQueue(connect(server.url), "", prefix=f"headgate:{name}") for name in ("a", "b"))

    mine.put(JobKind.ADVANCE, "a!1")

    assert mine.depth() == {SHORT: 1}
    assert theirs.depth() == {}


def test_jobs_are_written_as_json_and_never_pickled(queue: RqQueue) -> None:
    queue.put(JobKind.ADVANCE, "a!1")

    [job] = queue.queue(SHORT).jobs

    assert queue.redis().hget(job.key, "data") is not None
    assert job.args == ["advance", "a!1"]
    assert b'["bot.queues.entry.perform", null, ["advance", "a!1"], {}]' in _unpacked(queue, job.key)


def _unpacked(queue: RqQueue, key: str) -> bytes:
    data = queue.redis().hget(key, "data")
    assert isinstance(data, bytes)
    return zlib.decompress(data)


def test_asking_a_dead_queue_never_raises_and_is_counted(dead: RqQueue, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        for number in range(200):
            dead.put(JobKind.ADVANCE, f"a!{number}")

    assert dead.lost == 200
    assert dead.depth() == {}
    assert len([record for record in caplog.records if "the queue is down" in record.message]) == 1
    assert time.monotonic() - began < 3, "a dead queue may not hold up those who only hint"


def test_a_dead_queue_says_so_when_it_is_asked(dead: RqQueue) -> None:
    with pytest.raises(ConnectionError):
        dead.ping()


def test_a_queue_that_came_back_is_used_again(
    program: str, tmp_path: Path, until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    server = OwnServer(program, tmp_path)
    queue = RqQueue(connect(server.url), "late")
    queue.put(JobKind.ADVANCE, "a!1")
    assert queue.lost == 1
    with caplog.at_level(logging.INFO):
        server.start()
        try:

            def arrived() -> bool:
                queue.put(JobKind.ADVANCE, "a!1")
                return queue.depth() == {SHORT: 1}

            until(arrived)
        finally:
            server.stop()

    assert "the queue is back" in caplog.text


def test_working_does_not_lengthen_the_patience_with_a_silent_server(
    queue: RqQueue, until: Callable[..., None]
) -> None:
    # RQ's worker sets the socket timeout of the whole pool to minutes; a webhook's put would hang that long.
    seen: list[str] = []
    workers = RqWorkers(queue, lambda kind, key: seen.append(key))
    workers.start((SHORT,), 1)
    queue.put(JobKind.ADVANCE, "a!1")
    until(lambda: seen == ["a!1"])
    workers.stop()

    assert queue.redis().connection_pool.connection_kwargs["socket_timeout"] == SOCKET_SECONDS
