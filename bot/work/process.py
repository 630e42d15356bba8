"""Who we are, and who is proven dead. A pid alone proves nothing: it is reused, and other machines have it too."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import Final

import psutil

from bot.core.runs import Holder

_PROC = Path("/proc")
_SEPARATOR = "."
BEGINS_WITHIN: Final = 30.0
"""Seconds after which a command behind walls has begun; it takes milliseconds."""


def current_holder() -> Holder:
    """This very process."""
    return holder_of(os.getpid())


def holder_of(pid: int) -> Holder:
    """A living process of this machine. Raises ProcessLookupError when there is none of that number."""
    started = _started(pid)
    if started is None:
        raise ProcessLookupError(f"no process {pid}")
    return Holder(socket.gethostname(), _SEPARATOR.join(_place()), pid, started)


def proven_dead(holder: Holder, begins_within: float = BEGINS_WITHIN) -> bool:
    """True only on proof: the holder's machine was booted again; or here, where it ran, no such process lives (or
    another one under its number), and nothing that it started in its session is still at work.

    A holder on another machine, or in another container, may live, whatever we cannot see. Walls that never came to
    hold a command are no work: they are ended here, and gone at the next look.
    """
    place = tuple(holder.boot_id.split(_SEPARATOR))
    if holder.host != socket.gethostname() or len(place) != 3:
        return False
    (machine, boot, space), (our_machine, our_boot, our_space) = place, _place()
    if not machine or machine != our_machine:
        return False
    if boot != our_boot:
        return True
    if space != our_space or _may_live(holder):
        return False
    left = _session_of(holder.pid)
    for pid in left:
        if _holds_nothing(pid, begins_within):
            _kill(pid)
    return not left


def end_family(pid: int) -> None:
    """SIGKILL to a process, all it started, and its session; ourselves last."""
    family = {child.pid for child in _children(pid)} | set(_session_of(pid))
    for member in sorted(family - {pid, os.getpid()}):
        _kill(member)
    _kill(pid)


def _may_live(holder: Holder) -> bool:
    started = _started(holder.pid)
    if started is not None:
        return started == holder.started
    try:
        # Where /proc hides other users' processes only a signal tells whether one is there.
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(holder.pid)


@functools.cache
def _place() -> tuple[str, str, str]:
    """This machine, its boot, and the container we run in (its process-id namespace); empty for what cannot be told.

    A host name alone is not a machine: copies of an image share it, and so may containers. The machine id is
    hashed, as its manual page asks: https://www.freedesktop.org/software/systemd/man/latest/machine-id.html
    """
    if sys.platform != "linux":
        return f"{uuid.getnode():x}", "", ""  # starting times are wall clock there and tell boots apart
    machine = _read(Path("/etc/machine-id"))
    boot = _read(_PROC / "sys/kernel/random/boot_id")
    try:
        space = str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        space = ""
    return _digest(machine), boot, space


def _digest(machine: str) -> str:
    return hashlib.sha256(b"headgate " + machine.encode()).hexdigest()[:16] if machine else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """When the process started, in clock ticks since boot (its creation time where there is no /proc); None for one
    that cannot be seen or is a zombie.

    Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses:
    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    if sys.platform != "linux":
        return _created(pid)
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return float(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def _created(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _session_of(leader: int) -> list[int]:
    """Other processes of the session that ``leader`` began and are not zombies. The kernel gives no new process a
    number that is still a session's, so these are its own."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if pid != leader and os.getsid(pid) == leader and not _is_zombie(pid):
                members.append(pid)
    return members


def _holds_nothing(pid: int, begins_within: float) -> bool:
    """Whether it is bubblewrap around no command, though one would have begun long ago. It waits forever when it is
    parted from its other half in the moment between the making of the walls and the command's start."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        old = time.time() - process.create_time() > begins_within
        return old and Path(process.exe()).name == "bwrap" and not process.children()
    return False


def _children(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
