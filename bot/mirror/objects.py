"""Reading objects through one long-lived ``git cat-file --batch``: no process per file."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final

from bot.core.guard.model import Entry, EntryKind
from bot.mirror.command import Git

REGULAR: Final = frozenset({"100644", "100755"})
READ_LIMIT = 2**20
LINK: Final = "120000"
SUBMODULE: Final = "160000"
LINK_LIMIT: Final = 4096
KINDS: Final = {"100755": EntryKind.EXECUTABLE, LINK: EntryKind.LINK, SUBMODULE: EntryKind.SUBMODULE}


class Objects:
    """Thread-safe and fork-safe reader of blobs and trees."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def read(self, name: str, limit: int) -> bytes | None:
        """An object's bytes; None when it is missing or larger than ``limit``."""
        with self._lock:
            process = self._running()
            stdin, stdout = process.stdin, process.stdout
            if stdin is None or stdout is None or "\n" in name:
                return None
            stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            stdin.flush()
            header = stdout.readline().split()
            if len(header) != 3:
                return None
            size = int(header[2])
            data = stdout.read(size) if size <= limit else None
            if data is None:
                _skip(stdout, size)
            stdout.read(1)
            return data

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._pid != os.getpid() or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._git.argv("cat-file", "--batch"),
                env=self._git.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._pid = os.getpid()
        return self._process

    def close(self) -> None:
        """End the helper process."""
        with self._lock:
            if self._process is not None and self._pid == os.getpid():
                self._process.kill()
                self._process.communicate()
            self._process = None


def _skip(stream: IO[bytes], size: int) -> None:
    while size > 0:
        size -= len(stream.read(min(size, 1 << 20)))


class TreeSource:
    """A tree in the mirror. Links and submodules are listed, but cannot be read."""

    def __init__(self, objects: Objects, entries: Mapping[str, tuple[str, str]]) -> None:
        self._objects = objects
        self._entries = entries
        self._paths = tuple(sorted(entries))

    def paths(self) -> Sequence[str]:
        """Every file's path, sorted."""
        return self._paths

    def read(self, path: str) -> bytes | None:
        """A regular file's bytes; None when missing, too large, a link or a submodule."""
        mode, name = self._entries.get(path, ("", ""))
        return self._objects.read(name, READ_LIMIT) if mode in REGULAR else None

    def entry(self, path: str) -> Entry | None:
        """What stands there; None for nothing, and for a directory."""
        if path not in self._entries:
            return None
        mode, name = self._entries[path]
        return Entry(KINDS.get(mode, EntryKind.FILE), name)

    def link(self, path: str) -> str | None:
        """Where a symbolic link points, as written; None when it is no link."""
        mode, name = self._entries.get(path, ("", ""))
        if mode != LINK:
            return None
        return (self._objects.read(name, LINK_LIMIT) or b"").decode("utf-8", "surrogateescape")


def parse_tree(listing: bytes) -> dict[str, tuple[str, str]]:
    """``ls-tree -r -z`` output -> path -> (mode, object id)."""
    entries: dict[str, tuple[str, str]] = {}
    for record in listing.split(b"\0"):
        meta, tab, path = record.partition(b"\t")
        if tab:
            mode, _, name = meta.decode("ascii").split(" ")
            entries[path.decode("utf-8", "surrogateescape")] = (mode, name)
    return entries
