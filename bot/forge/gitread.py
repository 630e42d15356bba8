"""Reading history and trees of one bare repository as values; nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.forge.gitstore import CommitInfo, FileChange, GitStore, Signature

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x00%x01"
_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a directory."""

    mode: str
    kind: str
    sha: str
    size: int
    path: str


def commits(git: GitStore, *selection: str) -> list[CommitInfo]:
    """The commits of a selection such as ``main`` or ``base..head``, newest first."""
    raw = git.run("log", f"--format={_FORMAT}", *selection, "--").decode(errors="replace")
    return [_commit(entry.lstrip("\n")) for entry in raw.split("\x01") if entry.strip()]


def commit(git: GitStore, sha: str) -> CommitInfo:
    """One commit."""
    return commits(git, "-1", sha)[0]


def _commit(entry: str) -> CommitInfo:
    sha, tree, parents, an, ae, at, cn, ce, ct, message, _ = entry.split("\x00")
    return CommitInfo(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Signature(an, ae, datetime.fromtimestamp(int(at), UTC)),
        committer=Signature(cn, ce, datetime.fromtimestamp(int(ct), UTC)),
        message=message.rstrip("\n"),
    )


def count(git: GitStore, base: str, head: str) -> tuple[int, int]:
    """How many commits only the base has, and only the head has."""
    behind, ahead = git.text("rev-list", "--left-right", "--count", f"{base}...{head}").split()
    return int(behind), int(ahead)


def changed_files(git: GitStore, base: str, head: str, patches: bool = True) -> list[FileChange]:
    """The files that differ between two trees, renames found, each with its patch."""
    raw = git.run("diff-tree", "-r", "-M", "-z", "--raw", "--no-commit-id", base, head).decode(errors="replace")
    counts = _line_counts(git, base, head)
    texts = _patches(git, base, head) if patches else []
    changes: list[FileChange] = []
    fields = iter(raw.split("\0"))
    for meta in fields:
        if not meta.startswith(":"):
            continue
        *_, old_blob, new_blob, letter = meta.split()
        first = next(fields)
        path, previous = (next(fields), first) if letter[0] in "RC" else (first, None)
        added, deleted = counts.get(path, (0, 0))
        patch = texts[len(changes)] if len(changes) < len(texts) else None
        blob = old_blob if letter[0] == "D" else new_blob
        changes.append(FileChange(_STATUS.get(letter[0], "changed"), path, previous, blob, added, deleted, patch))
    return changes


def _line_counts(git: GitStore, base: str, head: str) -> dict[str, tuple[int, int]]:
    raw = git.run("diff-tree", "-r", "-M", "-z", "--numstat", "--no-commit-id", base, head).decode(errors="replace")
    found: dict[str, tuple[int, int]] = {}
    fields = iter(raw.split("\0"))
    for entry in fields:
        if entry.count("\t") < 2:
            continue
        added, deleted, path = entry.split("\t", 2)
        if not path:
            next(fields)
            path = next(fields)
        found[path] = (int(added) if added != "-" else 0, int(deleted) if deleted != "-" else 0)
    return found


def _patches(git: GitStore, base: str, head: str) -> list[str | None]:
    raw = git.run("diff-tree", "-r", "-M", "-p", "--full-index", "--no-commit-id", base, head).decode(
        errors="replace"
    )
    texts: list[str | None] = []
    for part in ("\n" + raw).split("\ndiff --git ")[1:]:
        at = part.find("\n@@ ")
        texts.append(part[at + 1 :].rstrip("\n") if at >= 0 else None)
    return texts


def tree(git: GitStore, sha: str, path: str) -> list[TreeEntry] | None:
    """The entries of a directory at a commit; None when it is not a directory there."""
    where = f"{sha}:{path}" if path else f"{sha}^{{tree}}"
    if git.attempt("cat-file", "-t", where).stdout.strip() != b"tree":
        return None
    raw = git.run("ls-tree", "-l", "-z", where).decode(errors="replace")
    prefix = f"{path}/" if path else ""
    return [_entry(line, prefix) for line in raw.split("\0") if line]


def entry(git: GitStore, sha: str, path: str) -> TreeEntry | None:
    """What lies at a path of a commit."""
    raw = git.run("ls-tree", "-l", "-z", sha, "--", path).decode(errors="replace")
    found = [_entry(line, "") for line in raw.split("\0") if line]
    return next((item for item in found if item.path == path), None)


def blob(git: GitStore, sha: str) -> bytes:
    """The bytes of a blob."""
    return git.run("cat-file", "blob", sha)


def _entry(line: str, prefix: str) -> TreeEntry:
    meta, name = line.split("\t", 1)
    mode, kind, sha, size = meta.split()
    return TreeEntry(mode, kind, sha, int(size) if size != "-" else 0, prefix + name)
