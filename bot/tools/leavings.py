"""What a command of a change left behind, read and replaced without going where it points.

Whoever wrote the command chose what lies in its folders now: links to files of ours, pipes that nobody feeds, files
without end. So a path is walked part by part, each opened in the one before it and never through a link, and only a
regular file that has no second name is read. That needs nothing but ``openat(2)``, so it is the same on every system
(``openat2(2)`` would ask the kernel for the same walk, where it is new enough and no seccomp profile forbids it).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bot.core.errors import ToolFailed

MOST_FILES: Final = 20_000
DEEPEST: Final = 40
"""Directories below one another, and links followed in one path."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(top: Path, path: str, limit: int, *, links: bool = False) -> bytes | None:
    """A regular file's bytes, at most ``limit`` of them; None when there is nothing of that name.

    ``top`` is a directory that no command can replace. ``links`` follows those that stay below it, as a repository's
    own may. Raises ToolFailed for anything else: a link, a pipe, a device, a directory, a hard link, a larger file.
    """
    try:
        with _walked(top, path, links=links) as (folder, name):
            return _bytes(folder, name, path, limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, os.strerror(error.errno or 0).lower()) from None


def names(top: Path, path: str) -> tuple[str, ...]:
    """The names in a directory of a repository's tree, sorted; links that stay below ``top`` are followed to it.
    Raises ToolFailed."""
    try:
        with _walked(top, f"{path}/.", links=True) as (folder, _):
            return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - of a descriptor, not of a path
    except OSError as error:
        raise _refused(path, os.strerror(error.errno or 0).lower()) from None


def contents(top: Path, path: str, limit: int) -> dict[str, bytes]:
    """Every regular file below a directory, by its path there; links and other things are left out.
    Raises ToolFailed for a hard link, for more than ``limit`` bytes in all, for too many files or too deep ones."""
    found: dict[str, bytes] = {}
    left = limit
    for inside in files(top, path):
        data = read(top, f"{path}/{inside}", left)
        if data is not None:
            found[inside] = data
            left -= len(data)
    return found


def files(top: Path, path: str) -> Iterator[str]:
    """The paths of regular files below a directory; links are not followed. Raises ToolFailed for too many."""
    waiting, seen = [("", 0)], 0
    while waiting:
        inside, depth = waiting.pop()
        if depth > DEEPEST:
            raise _refused(path, f"its directories are more than {DEEPEST} deep")
        listed = _entries(top, f"{path}/{inside}/.")
        seen += len(listed)
        if seen > MOST_FILES:
            raise _refused(path, f"it has more than {MOST_FILES:,} files")
        for entry in listed:
            place = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append((place, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield place


def folders(top: Path, path: str, depth: int) -> Iterator[str]:
    """The paths of directories exactly ``depth`` below a directory, which may be missing; links are not followed.
    Raises ToolFailed."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            listed = _entries(top, f"{path}/{inside}/.")
        except FileNotFoundError:
            listed = []
        for entry in listed[:MOST_FILES]:
            if entry.is_dir(follow_symlinks=False):
                place = f"{inside}/{entry.name}" if inside else entry.name
                if place.count("/") + 1 == depth:
                    yield place
                else:
                    waiting.append(place)


@contextlib.contextmanager
def folder_of(top: Path, path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory that a path's last part is in, and that part. Raises ToolFailed."""
    with _walked(top, path, links=False, last=False) as found:
        yield found


def _entries(top: Path, path: str) -> list[os.DirEntry[str]]:
    try:
        with _walked(top, path, links=False) as (folder, _), os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(path, os.strerror(error.errno or 0).lower()) from None


def put(top: Path, path: str, data: bytes) -> Path:
    """Write a new file that only we may read, in place of whatever has that name; its full path.
    Raises ToolFailed when a directory is in the way."""
    try:
        with _walked(top, path, links=False, last=False) as (folder, name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as out:
                out.write(data)
    except OSError as error:
        raise _refused(path, os.strerror(error.errno or 0).lower()) from None
    return top / path


def _bytes(folder: int, name: str, path: str, limit: int) -> bytes:
    # Looked at before it is opened, as opening alone can wake a device; and again afterwards, as it may be another.
    _require_plain(os.stat(name, dir_fd=folder, follow_symlinks=False), path, limit)
    handle = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        _require_plain(os.fstat(handle), path, limit)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _refused(path, f"it has more than {limit:,} bytes")
    return data


def _require_plain(info: os.stat_result, path: str, limit: int) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise _refused(path, "it is not a regular file")
    if info.st_nlink != 1:
        raise _refused(path, "it is a hard link")
    if info.st_size > limit:
        raise _refused(path, f"it has more than {limit:,} bytes")


@contextlib.contextmanager
def _walked(top: Path, path: str, *, links: bool, last: bool = True) -> Iterator[tuple[int, str]]:
    """The directory that holds the path's last part, and that part (empty for a path that ends in ``/.``), never
    above ``top``. Without ``last`` nobody looks at what the last part is now."""
    with contextlib.ExitStack() as opened:
        folders = [_opened(opened, os.open(top, _DIRECTORY))]
        parts, followed = path.split("/")[::-1], 0
        while parts:
            part = parts.pop()
            if part == "..":
                # Not the kernel's: a directory that was moved has another parent by now.
                folders.pop()
                if not folders:
                    raise _refused(path, "it leaves its directory")
            elif part not in ("", "."):
                if not parts and not last:
                    yield folders[-1], part
                    return
                mode = os.stat(part, dir_fd=folders[-1], follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    target = os.readlink(part, dir_fd=folders[-1])
                    followed += 1
                    if not links or followed > DEEPEST or target.startswith("/"):
                        raise _refused(path, "it is a link, or behind one")
                    parts += target.split("/")[::-1]
                elif parts:
                    folders.append(_opened(opened, os.open(part, _DIRECTORY, dir_fd=folders[-1])))
                else:
                    yield folders[-1], part
                    return
        yield folders[-1], ""


def _opened(stack: contextlib.ExitStack, handle: int) -> int:
    stack.callback(os.close, handle)
    return handle


def _refused(path: str, why: str) -> ToolFailed:
    return ToolFailed(f"{path!r} is neither read nor replaced: {why}")
