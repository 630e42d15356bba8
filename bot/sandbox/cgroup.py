"""A control group for one command, where this process may make one: the kernel's own bound on processes and memory.

Version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html) under a delegated group; version 1 where it still is.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
PATIENCE: Final = 2.0
FIRST_PAUSE: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Slot:
    """Where groups are made, and what the bounds are called there."""

    parent: Path
    processes: str = ""
    memory: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """One command's group, in as many hierarchies as there are; none where none can be made. A process enters by
    writing ``0`` to each of ``doors``."""

    doors: tuple[int, ...] = ()
    places: tuple[Path, ...] = ()

    def out_of_memory(self) -> bool:
        """Whether the kernel killed something inside for its memory."""
        for place in self.places:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    counts = dict(line.split(maxsplit=1) for line in (place / name).read_text().splitlines())
                    if int(counts.get("oom_kill", "0")):
                        return True
        return False


@contextlib.contextmanager
def group(processes: int, memory: int) -> Iterator[Group]:
    """A new group with these bounds (0: none). At the end whatever is left inside is killed."""
    made: list[Path] = []
    doors: list[int] = []
    try:
        for slot in slots():
            with contextlib.suppress(OSError):
                place = slot.parent / f"headgate-{uuid.uuid4().hex[:12]}"
                place.mkdir()
                made.append(place)
                _bound(place, slot.processes, processes)
                _bound(place, slot.memory, memory)
                doors.append(os.open(place / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        yield Group(tuple(doors), tuple(made))
    finally:
        for door in doors:
            os.close(door)
        for place in made:
            _removed(place)


@functools.cache
def slots() -> tuple[Slot, ...]:
    """Where groups can be made here; looked for once."""
    if (ROOT / "cgroup.controllers").exists():
        return tuple(_second_version())
    return tuple(_first_version())


def bounds_processes() -> bool:
    """Whether the kernel will bound the number of processes of a command."""
    return any(slot.processes for slot in slots())


def _second_version() -> Iterator[Slot]:
    own = _own_groups().get("", "/").lstrip("/")
    # A group with processes of its own may not hand controllers down, so its parent is tried too (systemd:
    # ``Delegate=yes`` and ``DelegateSubgroup=``).
    for parent in (ROOT / own, (ROOT / own).parent):
        if not parent.is_relative_to(ROOT):
            continue
        with contextlib.suppress(OSError):
            (parent / "cgroup.subtree_control").write_text("+pids +memory")
        if slot := _tried(Slot(parent, "pids.max", "memory.max")):
            yield slot
            return


def _first_version() -> Iterator[Slot]:
    own = _own_groups()
    for controller, processes, memory in (("pids", "pids.max", ""), ("memory", "", "memory.limit_in_bytes")):
        place = ROOT / controller / own.get(controller, "/").lstrip("/")
        if found := _tried(Slot(place, processes, memory)):
            yield found


def _tried(slot: Slot) -> Slot | None:
    """The slot, if a group can really be made and bounded there."""
    probe = slot.parent / f"headgate-{uuid.uuid4().hex[:12]}"
    try:
        probe.mkdir()
    except OSError:
        return None
    try:
        usable = all(
            os.access(probe / name, os.W_OK) for name in (slot.processes, slot.memory, "cgroup.procs") if name
        )
    finally:
        with contextlib.suppress(OSError):
            probe.rmdir()
    return slot if usable else None


def _own_groups() -> dict[str, str]:
    """Controller -> our group in its hierarchy; the empty name is version 2's."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, place = line.split(":", 2)
            found.update(dict.fromkeys(names.split(","), place))
    return found


def _bound(place: Path, name: str, value: int) -> None:
    if name and value:
        (place / name).write_text(str(value))


def _removed(place: Path) -> None:
    """Kill what is left inside, then remove it; a group that stays busy is left for the kernel's next boot."""
    deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
    while time.monotonic() < deadline:
        try:
            place.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            _kill_members(place)
            time.sleep(pause)  # who was killed leaves within a millisecond, or the machine is busy
            pause = min(2 * pause, 0.05)
        else:
            return


def _kill_members(place: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        for pid in (place / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
