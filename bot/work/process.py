"""Who we are, and who is proven dead. A pid alone proves nothing: it is reused, and other machines have it too."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

from bot.core.runs import Holder

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def current_holder() -> Holder:
    """This very process."""
    return holder_of(os.getpid())


def holder_of(pid: int) -> Holder:
    """A process of this machine."""
    return Holder(socket.gethostname(), _boot_id(), pid, _started(pid))


def proven_dead(holder: Holder) -> bool:
    """True only on proof: the same machine was booted again, or has no such process, or one started at another time.

    A holder on another machine may live, whatever we cannot see.
    """
    if holder.host != socket.gethostname():
        return False
    if holder.boot_id != _boot_id():
        return True
    return _started(holder.pid) != holder.started


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _started(pid: int) -> float:
    """When the process started, in clock ticks since boot (its creation time where there is no /proc); 0 for one
    that is gone or a zombie.

    Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses:
    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _created(pid)
    fields = stat.rpartition(")")[2].split()
    return 0.0 if fields[0] in ("Z", "X") else float(fields[19])


def _created(pid: int) -> float:
    if Path("/proc/self/stat").exists():
        return 0.0
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0
