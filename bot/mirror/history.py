"""What git prints about changes and commits, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.core.policy.facts import FileFact, FileStatus
from bot.core.policy.ground import GitCommit

STATUS: Final[Mapping[str, FileStatus]] = {"A": FileStatus.ADDED, "D": FileStatus.DELETED}
LONGEST_MESSAGE: Final = 10_000
"""Bytes of a message that are kept."""


def changed_files(listing: bytes) -> tuple[FileFact, ...]:
    """Of ``diff-tree -z --raw --numstat``: first a record of two parts for each path, then one of lines for each.

    What is no text has no lines. https://git-scm.com/docs/git-diff#_raw_output_format
    """
    status: dict[str, FileStatus] = {}
    lines: dict[str, tuple[int, int]] = {}
    parts = iter(listing.split(b"\0"))
    for part in parts:
        if part.startswith(b":"):
            letter = part.rpartition(b" ")[2].decode()[:1]
            status[_path(next(parts, b""))] = STATUS.get(letter, FileStatus.CHANGED)
        elif part.count(b"\t") >= 2:
            added, deleted, path = part.split(b"\t", 2)
            lines[_path(path)] = (_number(added), _number(deleted))
    return tuple(FileFact(path, found, *lines.get(path, (0, 0))) for path, found in sorted(status.items()))


def _path(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _number(raw: bytes) -> int:
    return int(raw) if raw.isdigit() else 0


def parse_commits(answers: bytes) -> Mapping[str, GitCommit]:
    """Of ``cat-file --batch``: what is no commit, or not here, is left out."""
    found: dict[str, GitCommit] = {}
    at = 0
    while at < len(answers):
        line, _, _ = answers[at:].partition(b"\n")
        at += len(line) + 1
        words = line.split()
        if len(words) != 3 or not words[2].isdigit():
            continue
        body = answers[at : at + int(words[2])]
        at += int(words[2]) + 1
        if words[1] == b"commit":
            found[words[0].decode()] = _commit(body)
    return found


def _commit(body: bytes) -> GitCommit:
    head, _, message = body.partition(b"\n\n")
    parents = (line[7:].decode() for line in head.split(b"\n") if line.startswith(b"parent "))
    return GitCommit(tuple(parents), message[:LONGEST_MESSAGE].decode("utf-8", "replace").strip())
