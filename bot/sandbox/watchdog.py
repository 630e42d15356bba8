"""Looks at a running command's processes, memory and files, and says when it takes more than it may."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import psutil

EVERY: Final = 0.25
"""Seconds between two looks at processes."""
FILES_EVERY: Final = 2.0
"""Seconds between two looks at files, which cost more."""
MOST_FILES: Final = 400_000
"""Files of one run: as many as a large provider tree holds, and few enough to be counted."""
FREE_SHARE: Final = 0.02
"""The share of the disk that is left to everybody else."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one command may take: processes and threads, bytes of memory, bytes on disk; 0 for no bound.

    ``kernel`` lets the kernel's control groups see to it too, where they can; False leaves it to looking.
    """

    processes: int = 0
    memory: int = 0
    disk: int = 0
    kernel: bool = True

    def too_much_memory(self) -> str:
        """What is said of a command that took more."""
        return f"it took more than {self.memory / 2**30:.1f} GiB of memory"


@dataclass(slots=True)
class Watchdog:
    """Watches what descends from one process. It only looks now and then, but that works without any rights; most
    commands are done before the first look, which costs as much as starting them."""

    root: int
    bounds: Bounds
    places: tuple[Path, ...]
    _next: float = field(default_factory=lambda: time.monotonic() + EVERY)
    _next_files: float = field(default=0.0)

    def complaint(self) -> str:
        """What was exceeded, in words; empty when all is well or it is not yet time to look again."""
        now = time.monotonic()
        if now < self._next:
            return ""
        found = self._of_processes()
        if not found and now >= self._next_files:
            found = self._of_files()
            # A look that took long is not repeated at once.
            self._next_files = time.monotonic() + max(FILES_EVERY, 5 * (time.monotonic() - now))
        self._next = time.monotonic() + EVERY
        return found

    def _of_processes(self) -> str:
        count = memory = 0
        for process in _family(self.root):
            with contextlib.suppress(psutil.Error):
                count += process.num_threads()
                memory += process.memory_info().rss
        if self.bounds.processes and count > self.bounds.processes:
            return f"it started more than {self.bounds.processes} processes"
        if self.bounds.memory and memory > self.bounds.memory:
            return self.bounds.too_much_memory()
        return ""

    def _of_files(self) -> str:
        if not self.bounds.disk:
            return ""
        for place in self.places:
            usage = shutil.disk_usage(place)
            if usage.free < usage.total * FREE_SHARE:
                return "the disk is nearly full"
        size = 0
        for count, info in enumerate(chain(*map(_named, self.places), _nameless(self.root)), 1):
            size += info.st_blocks * 512
            if size > self.bounds.disk:
                return f"it wrote more than {self.bounds.disk / 2**30:.1f} GiB"
            if count > MOST_FILES:
                return f"it made more than {MOST_FILES:,} files"
        return ""


def signal_inside(init: int, number: signal.Signals) -> None:
    """Send a signal to everything inside but its first process, which only collects the dead."""
    for process in _family(init):
        if process.pid != init:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)


def _family(root: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(root)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _entries(place: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder; links are not followed. A folder that vanishes or may not be read is passed over."""
    waiting = [str(place)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _named(place: Path) -> Iterator[os.stat_result]:
    """What lies below a folder."""
    for entry in _entries(place):
        with contextlib.suppress(OSError):
            yield entry.stat(follow_symlinks=False)


def _nameless(root: int) -> Iterator[os.stat_result]:
    """Regular files that a family holds open and that have no name left, each once; they take room although nothing
    shows them. Where there is no /proc nobody can tell: https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html
    """
    seen: set[tuple[int, int]] = set()
    for process in _family(root):
        with contextlib.suppress(OSError), os.scandir(f"/proc/{process.pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode) and info.st_nlink == 0 and (info.st_dev, info.st_ino) not in seen:
                        seen.add((info.st_dev, info.st_ino))
                        yield info
