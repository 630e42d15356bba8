"""Proof of death, and only proof: everything that cannot be told counts as alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from bot.core.runs import Holder
from bot.sandbox.enclosure import unavailable
from bot.work.process import current_holder, end_family, holder_of, proven_dead

SLEEP = "import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], process_group=0)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", SLEEP])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def leader() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A session leader, and the pid of its child in a process group of its own."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    process.wait()
    process.stdout.close()
    end_family(child)


def placed(holder: Holder, **parts: str) -> Holder:
    """The holder with another machine, boot or space."""
    machine, boot, space = holder.boot_id.split(".")
    place = {"machine": machine, "boot": boot, "space": space} | parts
    return replace(holder, boot_id=".".join(place.values()))


def test_we_are_not_dead() -> None:
    assert not proven_dead(current_holder())
    assert current_holder() == holder_of(os.getpid())


def test_a_living_process_is_not_dead(sleeper: subprocess.Popen[bytes]) -> None:
    assert not proven_dead(holder_of(sleeper.pid))


def test_a_process_that_ended_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    holder = holder_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()

    assert proven_dead(holder)


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes], until: Callable[..., None]) -> None:
    holder = holder_of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE)

    assert proven_dead(holder)


def test_a_reused_pid_proves_the_former_process_dead(sleeper: subprocess.Popen[bytes]) -> None:
    former = replace(holder_of(sleeper.pid), started=holder_of(sleeper.pid).started - 1)

    assert proven_dead(former)


def test_a_holder_on_another_machine_may_live() -> None:
    assert not proven_dead(replace(current_holder(), host="elsewhere", pid=2**22 + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="machine id, boot id and namespaces are Linux's")
class TestPlace:
    def test_a_boot_that_is_over_proves_all_its_processes_dead(self) -> None:
        if not current_holder().boot_id.split(".")[0]:
            pytest.skip("this machine has no /etc/machine-id")
        assert proven_dead(placed(current_holder(), boot="another"))

    def test_another_machine_of_the_same_name_proves_nothing(self) -> None:
        assert not proven_dead(placed(current_holder(), machine="another", boot="another", space="1"))
        assert not proven_dead(placed(current_holder(), machine="another"))

    def test_another_container_of_the_same_name_proves_nothing(self) -> None:
        gone = replace(current_holder(), pid=2**22 + 1)  # beyond the kernel's largest pid

        assert not proven_dead(placed(gone, space="1"))

    def test_a_machine_without_an_id_proves_nothing(self) -> None:
        assert not proven_dead(placed(current_holder(), machine="", boot="another"))


@pytest.mark.parametrize("boot_id", ["", "x", "a.b", "a.b.c.d"])
def test_a_holder_written_by_another_program_proves_nothing(boot_id: str) -> None:
    assert not proven_dead(replace(current_holder(), boot_id=boot_id, pid=2**22 + 1))


def test_there_is_no_holder_without_a_process(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()

    with pytest.raises(ProcessLookupError):
        holder_of(sleeper.pid)


def test_a_name_with_spaces_and_parentheses_does_not_confuse() -> None:
    program = "import ctypes, time; ctypes.CDLL(None).prctl(15, b') Z 1 (x'); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            holder = holder_of(process.pid)
            ticks = os.sysconf("SC_CLK_TCK")
            expected = psutil.Process(process.pid).create_time() - psutil.boot_time()
            assert abs(holder.started / ticks - expected) < 2
            assert not proven_dead(holder)
        finally:
            process.kill()


def test_a_holder_whose_tool_is_still_at_work_is_not_dead(leader: tuple[subprocess.Popen[bytes], int]) -> None:
    process, tool = leader
    holder = holder_of(process.pid)
    process.kill()
    process.wait()
    assert psutil.pid_exists(tool)

    assert not proven_dead(holder)

    end_family(tool)
    psutil.wait_procs([psutil.Process(tool)] if psutil.pid_exists(tool) else [], timeout=10)
    assert proven_dead(holder)


WALLED = """
import os, subprocess, sys, time
gate, keep = os.pipe()
words = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--info-fd", "1"]
if sys.argv[1] == "half":
    words += ["--userns-block-fd", str(gate)]
walls = subprocess.Popen([*words, "sleep", "60"], pass_fds=[gate], stdout=subprocess.PIPE)
print(walls.pid, walls.stdout.readline() and "", flush=True)
time.sleep(60)
"""


@pytest.fixture
def walled(until: Callable[..., None]) -> Iterator[Callable[[str], Holder]]:
    """A dead holder whose outer walls were killed too, with the inner ones ``half`` made or ``whole``."""
    left: list[int] = []

    def make(how: str) -> Holder:
        process = subprocess.Popen(
            [sys.executable, "-c", WALLED, how], stdout=subprocess.PIPE, start_new_session=True, text=True
        )
        assert process.stdout is not None
        outer = int(process.stdout.readline())
        holder = holder_of(process.pid)
        inner = {"half": 1, "whole": 2}[how]
        until(lambda: len(psutil.Process(outer).children(recursive=True)) == inner)
        left.extend([process.pid, *(each.pid for each in psutil.Process(outer).children(recursive=True))])
        for pid in (outer, process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        return holder

    yield make
    for pid in left:
        end_family(pid)


@pytest.mark.skipif(bool(unavailable()), reason="commands cannot be isolated here")
def test_walls_that_never_came_to_hold_a_command_are_ended_and_no_work(
    walled: Callable[[str], Holder], until: Callable[..., None]
) -> None:
    holder = walled("half")

    assert not proven_dead(holder)
    until(lambda: proven_dead(holder, begins_within=0.1))


@pytest.mark.skipif(bool(unavailable()), reason="commands cannot be isolated here")
def test_walls_around_a_command_are_work_however_long_it_takes(walled: Callable[[str], Holder]) -> None:
    holder = walled("whole")

    assert not proven_dead(holder, begins_within=0.0)
    assert not proven_dead(holder, begins_within=0.0)


def test_a_family_is_ended_as_a_whole(
    leader: tuple[subprocess.Popen[bytes], int], until: Callable[..., None]
) -> None:
    process, tool = leader

    end_family(process.pid)

    assert process.wait(10) == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(tool) or psutil.Process(tool).status() == psutil.STATUS_ZOMBIE)


def test_ending_what_is_gone_harms_nobody(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()

    end_family(sleeper.pid)

    assert psutil.pid_exists(os.getpid())
