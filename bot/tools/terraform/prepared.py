"""A root's ``.terraform``: made once for each state of what it depends on, and not changed any more.

Runs of one project go on side by side, on other commits with other backends or providers. Each such state has a
directory of its own, so that no ``init`` takes from another run what it is just using.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import posixpath
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bot.core.errors import ToolFailed, ToolTimeout
from bot.ports import Job
from bot.tools import leavings
from bot.tools.terraform import layout

LOCK_FILE: Final = ".terraform.lock.hcl"
STAMP: Final = "headgate.stamp"
SOURCE_BYTES: Final = 16 * 2**20
SMALL: Final = 4096
UNUSED: Final = 14 * 86400.0
"""Seconds after which a directory that no run used is removed."""
TICK: Final = 0.1
_WHOLE: Final = (".tf.json", ".tofu", ".tofu.json")
"""Code that is not parsed here, so every change of it counts."""


def source(job: Job, name: str) -> bytes | None:
    """A file of the project's directory, which a command may have changed since it was checked out."""
    place = (job.directory / name).relative_to(job.root)
    return leavings.read(job.root, place.as_posix(), SOURCE_BYTES, links=True)


def code(job: Job, *endings: str) -> list[bytes]:
    """The project's files with these endings, by name."""
    place = job.directory.relative_to(job.root).as_posix()
    named = [name for name in leavings.names(job.root, place) if name.endswith(endings)]
    return [text for name in named if (text := source(job, name)) is not None]


def identity(job: Job, version: str) -> str:
    """A digest of what ``init`` depends on: version, lock file, backend (with what its files of settings say),
    providers, modules and options."""
    mix = hashlib.sha256(version.encode())
    mix.update(committed_lock(job) or b"")
    for text in (*code(job, *_WHOLE), repr(sorted(job.project.options.items())).encode()):
        mix.update(text)
    settings = job.project.options.get("backend_config", ())
    for name in settings if isinstance(settings, list | tuple) else ():
        mix.update(hashlib.sha256(_in_tree(job, str(name))).digest())
    for text in (*code(job, ".tf"), *_modules(job)):
        mix.update(_parts(text))
    mix.update(job.project.workspace.encode())
    return mix.hexdigest()[:20]


def _in_tree(job: Job, name: str) -> bytes:
    """A file named from the project's directory; nothing for one that is missing or leaves the tree."""
    place = posixpath.normpath(posixpath.join(job.directory.relative_to(job.root).as_posix(), name))
    with contextlib.suppress(ToolFailed):
        return leavings.read(job.root, place, SOURCE_BYTES, links=True) or b""
    return b""


def _parts(text: bytes) -> bytes:
    """What of a file counts: all of one that is not understood."""
    parsed = layout.parse(text)
    parts = {name: parsed.get(name) for name in ("terraform", "module", "provider")}
    return json.dumps(parts, sort_keys=True, default=str).encode() if parsed else text


def _modules(job: Job) -> Iterator[bytes]:
    """The code of local modules, transitively: ``init`` has to know whom they call. A checkout's place does not
    matter, as ``modules.json`` names local modules relative to the root."""
    tree, root = _Tree(job.root), job.directory.relative_to(job.root).as_posix()
    waiting, seen = [root], {root}
    while waiting and len(seen) < layout.DEEPEST:
        here = waiting.pop()
        for module in layout.local_modules(layout.reading(tree), here, tree.code(here)):
            if module not in seen:
                seen.add(module)
                waiting.append(module)
                yield from (tree.read(path) or b"" for path in tree.code(module))


class _Tree:
    """The checkout as a source that modules are read from."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def code(self, folder: str) -> list[str]:
        """A directory's ``.tf`` files; none of one that is missing, which ``init`` will say."""
        with contextlib.suppress(ToolFailed):
            names = leavings.names(self._root, folder)
            return [posixpath.join(folder, name) for name in names if name.endswith(".tf")]
        return []

    def paths(self) -> Sequence[str]:
        """Every regular file."""
        return sorted(leavings.files(self._root, "."))

    def read(self, path: str) -> bytes | None:
        return leavings.read(self._root, path, SOURCE_BYTES, links=True)


def committed_lock(job: Job) -> bytes | None:
    """The root's lock file, unless an ``init`` of ours wrote it there because the root has none."""
    lock = source(job, LOCK_FILE)
    return None if lock is None or leavings.read(job.cache, _written(lock), SMALL) is not None else lock


def _written(lock: bytes) -> str:
    return f"written-{hashlib.sha256(lock).hexdigest()[:20]}"


def ready(job: Job, folder: Path) -> bool:
    """Whether an ``init`` succeeded for it; then the lock file it wrote is put back where the root has none."""
    if leavings.read(job.cache, f"{folder.name}/{STAMP}", SMALL) is None:
        return False
    os.utime(folder / STAMP, follow_symlinks=False)
    lock = leavings.read(job.cache, f"{folder.name}/{LOCK_FILE}", SOURCE_BYTES)
    if lock is not None and source(job, LOCK_FILE) is None:
        leavings.put(job.root, (job.directory / LOCK_FILE).relative_to(job.root).as_posix(), lock)
    return True


def keep_lock(job: Job, folder: Path) -> None:
    """Of a root without a lock file: keep the one that ``init`` wrote, for the runs that will need no ``init``."""
    written = source(job, LOCK_FILE)
    if written is not None:
        leavings.put(job.cache, f"{folder.name}/{LOCK_FILE}", written)
        leavings.put(job.cache, _written(written), b"")


def finish(job: Job, folder: Path) -> None:
    """Say that it is complete, as the last thing: whatever failed before must be tried again by the next run."""
    leavings.put(job.cache, f"{folder.name}/{STAMP}", b"")
    _remove_unused(job, folder)


def _remove_unused(job: Job, folder: Path) -> None:
    kind = folder.name.rpartition("-")[0]
    for stamp in job.cache.glob(f"{kind}-*/{STAMP}"):
        if stamp.lstat().st_mtime < time.time() - UNUSED:
            stamp.unlink()
            shutil.rmtree(stamp.parent, ignore_errors=True)


@contextlib.contextmanager
def alone(lock: Path, seconds: float) -> Iterator[None]:
    """Hold a lock between the processes of this machine. Raises ToolTimeout when another holds it for so long."""
    deadline = time.monotonic() + seconds
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise ToolTimeout(f"another run of this project has been initialising for {seconds:.0f} s")
            time.sleep(TICK)
        yield
    finally:
        os.close(handle)
