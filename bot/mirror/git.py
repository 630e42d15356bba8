"""A bare mirror of one repository, by the git command line (10 times faster than the libraries that were tried)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bot.core.errors import HostGone
from bot.core.policy.facts import FileFact
from bot.core.policy.ground import GitCommit
from bot.mirror.command import Credentials, Git
from bot.mirror.history import changed_files, parse_commits
from bot.mirror.objects import Objects, TreeSource, parse_tree
from bot.mirror.worktree import check_out
from bot.ports import MergeResult

TREES_KEPT = 8
FILES_KEPT = 1_000_000
"""Over all trees that are kept in memory; the last one always is."""
TREE_IDS_KEPT = 1024
IDLE = 3600.0
"""Seconds after its last use during which a mirror is never swept away."""
IDENTITY = {
    "GIT_AUTHOR_NAME": "Headgate",
    "GIT_AUTHOR_EMAIL": "headgate@localhost",
    "GIT_AUTHOR_DATE": "1970-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Headgate",
    "GIT_COMMITTER_EMAIL": "headgate@localhost",
    "GIT_COMMITTER_DATE": "1970-01-01T00:00:00Z",
}
"""The synthetic merge commit is the same on every machine at every time."""


def pull_ref(number: int) -> str:
    """Where GitHub keeps a change's head."""
    return f"refs/pull/{number}/head"


class GitMirror:
    """Implements the port ``Mirror``. Safe for threads, processes and forks."""

    def __init__(
        self,
        directory: Path,
        remote_url: str,
        credentials: Credentials,
        change_ref: Callable[[int], str] = pull_ref,
        timeout: float = 120.0,
    ) -> None:
        self._git = Git(directory, credentials, local=remote_url.startswith(("/", "file:")), timeout=timeout)
        self._remote = remote_url
        self._change_ref = change_ref
        self._objects = Objects(self._git)
        self._trees: OrderedDict[str, TreeSource] = OrderedDict()
        self._tree_ids: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    # ----------------------------------------------------------------------------------------- fetching

    def fetch(self, wants: Sequence[str], *, branch: str = "", change: int = 0) -> None:
        """Make ``wants`` present, in one trip at most."""
        self._create()
        missing = [sha for sha in dict.fromkeys(wants) if sha and not self.has(sha)]
        if not missing and not branch:
            return
        refs = []
        if branch:
            refs.append(f"+refs/heads/{branch}:refs/headgate/heads/{branch}")
        if change and missing:
            refs.append(f"+{self._change_ref(change)}:refs/headgate/changes/{change}")
        try:
            self._fetch(refs or missing)
        except HostGone:
            if not missing:
                raise
            self._fetch([ref for ref in refs if "heads/" in ref] + missing)
        still = [sha for sha in missing if not self.has(sha)]
        if still:
            self._fetch(still)

    def _fetch(self, refs: Sequence[str]) -> None:
        if refs:
            with self._exclusive():
                self._git.network(
                    "fetch",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--quiet",
                    "--no-auto-maintenance",
                    self._remote,
                    *refs,
                )

    def branch_head(self, branch: str) -> str:
        """The remote's commit of a branch, fetched."""
        self._create()
        self._fetch([f"+refs/heads/{branch}:refs/headgate/heads/{branch}"])
        return self._git.text("rev-parse", f"refs/headgate/heads/{branch}^{{commit}}")

    def _create(self) -> None:
        """Make it if it is not there; either way it was used just now."""
        if (self._git.directory / "HEAD").exists():
            with contextlib.suppress(OSError):
                os.utime(self._git.directory)
            return
        self._git.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._exclusive():
            if (self._git.directory / "HEAD").exists():
                return
            fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self._git.directory.parent))
            Git(fresh, lambda: None, local=False).run("init", "--bare", "--quiet")
            shutil.rmtree(fresh / "hooks", ignore_errors=True)
            fresh.rename(self._git.directory)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time creates or fetches; readers need no lock."""
        with _lock_of(self._git.directory).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    # ------------------------------------------------------------------------------------------ reading

    def has(self, sha: str) -> bool:
        """Whether the commit and its history are here."""
        if not (self._git.directory / "HEAD").exists() or not sha:
            return False
        return self._git.run("cat-file", "-e", f"{sha}^{{commit}}", codes=(0, 1, 128)).returncode == 0

    def tree(self, sha: str) -> str:
        """The commit's tree id; it never changes, so git is asked for it once."""
        with self._lock:
            known = self._tree_ids.get(sha)
        if known is None:
            known = self._git.text("rev-parse", "--verify", f"{sha}^{{tree}}")
            with self._lock:
                self._tree_ids[sha] = known
                while len(self._tree_ids) > TREE_IDS_KEPT:
                    self._tree_ids.popitem(last=False)
        return known

    def parents(self, sha: str) -> tuple[str, ...]:
        """The commit's parents, first parent first."""
        return tuple(self._git.text("rev-list", "--parents", "--max-count=1", sha).split()[1:])

    def merge_base(self, base: str, head: str) -> str:
        """The best common ancestor; empty for unrelated histories."""
        return self._git.run("merge-base", base, head, codes=(0, 1)).stdout.decode().strip()

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` contains ``older``."""
        return self._git.run("merge-base", "--is-ancestor", older, newer, codes=(0, 1)).returncode == 0

    def first_parents(self, sha: str, since: str = "", limit: int = 500) -> tuple[str, ...]:
        """The first-parent line, newest first, without what ``since`` already had."""
        words = ["rev-list", "--first-parent", f"--max-count={limit}", sha]
        return tuple(self._git.text(*words, *([f"^{since}"] if since else [])).split())

    def order(self, sha: str) -> int:
        """Length of the first-parent line up to ``sha``."""
        return int(self._git.text("rev-list", "--first-parent", "--count", sha))

    def changed_paths(self, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ; without rename detection both sides of a rename are listed."""
        listing = self._git.listing("diff-tree", "-r", "-z", "--no-renames", "--name-only", base, head)
        return tuple(sorted(path.decode("utf-8", "surrogateescape") for path in listing.split(b"\0") if path))

    def changed_files(self, base: str, head: str) -> tuple[FileFact, ...]:
        """What differs, with its lines."""
        listing = self._git.listing("diff-tree", "-r", "-z", "--no-renames", "--raw", "--numstat", base, head)
        return changed_files(listing)

    def commits(self, shas: Sequence[str]) -> Mapping[str, GitCommit]:
        """Parents and messages."""
        wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas)).encode()
        return parse_commits(self._git.run("cat-file", "--batch", stdin=wanted).stdout)

    def source(self, sha: str) -> TreeSource:
        """The commit's tree, listed once and kept for a while."""
        tree = self.tree(sha)
        with self._lock:
            if tree in self._trees:
                self._trees.move_to_end(tree)
                return self._trees[tree]
        source = TreeSource(self._objects, parse_tree(self._git.listing("ls-tree", "-r", "-z", tree)))
        with self._lock:
            self._trees[tree] = source
            while len(self._trees) > TREES_KEPT or (len(self._trees) > 1 and self._files_kept() > FILES_KEPT):
                self._trees.popitem(last=False)
        return source

    def _files_kept(self) -> int:
        return sum(len(source.paths()) for source in self._trees.values())

    def digest(self, sha: str, paths: Sequence[str]) -> str:
        """Content of these paths by their object ids; a missing path is part of the answer too."""
        wanted = sorted({path.strip("/") or "." for path in paths})
        lines = "".join(f"{sha}^{{tree}}:{'' if path == '.' else path}\n" for path in wanted)
        found = self._git.run(
            "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=lines.encode("utf-8", "surrogateescape")
        ).stdout.decode("utf-8", "surrogateescape")
        ids = [line if not line.endswith("missing") else "missing" for line in found.splitlines()]
        mix = hashlib.sha256()
        for path, name in zip(wanted, ids, strict=True):
            mix.update(f"{path}\0{name}\0".encode("utf-8", "surrogateescape"))
        return mix.hexdigest()

    # ------------------------------------------------------------------------------------------ merging

    def merge(self, base: str, head: str) -> MergeResult:
        """The synthetic merge of ``head`` onto ``base``, without a working tree."""
        done = self._git.run(
            "merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", base, head, codes=(0, 1)
        )
        parts = [part.decode("utf-8", "surrogateescape") for part in done.stdout.split(b"\0") if part]
        if done.returncode == 1:
            return MergeResult("", "", tuple(sorted(set(parts[1:]))) or ("(unnamed)",))
        tree = parts[0].strip()
        commit = self._git.run(
            "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} onto {base}", env=IDENTITY
        ).stdout.decode()
        return MergeResult(commit.strip(), tree)

    # ----------------------------------------------------------------------------------------- checkout

    def checkout(self, sha: str, paths: Sequence[str], at: Path) -> None:
        """Only ``paths``, written below ``at``; see :mod:`bot.mirror.worktree` for what is refused."""
        tree = self.tree(sha)
        wanted = [path.strip("/") for path in paths]
        whole = not wanted or any(path in ("", ".") for path in wanted)
        words = ["ls-tree", "-r", "-z", tree, *([] if whole else ["--", *sorted(set(wanted))])]
        entries = parse_tree(self._git.listing(*words))
        check_out(self._objects, entries, at)

    def close(self) -> None:
        """End helper processes."""
        self._objects.close()


def _lock_of(directory: Path) -> Path:
    return directory.with_suffix(".lock")


def sweep(folder: Path, max_bytes: int, idle: float = IDLE) -> int:
    """Remove the least recently used mirrors below ``folder`` until they fit; bytes removed.

    One that was used within ``idle`` seconds, or is being fetched into, stays whatever it weighs: who reads it
    would take what vanishes for something that never was.
    """
    used = {path: path.stat().st_mtime for path in folder.glob("*/*.git")}
    sizes = {path: sum(each.lstat().st_size for each in path.rglob("*") if each.is_file()) for path in used}
    total, removed = sum(sizes.values()), 0
    for path in sorted(used, key=used.__getitem__):
        if total - removed <= max_bytes:
            break
        if time.time() - used[path] >= idle and _remove(path):
            removed += sizes[path]
    return removed


def _remove(mirror: Path) -> bool:
    """Away with it, unless somebody fetches into it."""
    with _lock_of(mirror).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        doomed = mirror.with_suffix(f".gone-{os.getpid()}")
        mirror.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
    return True
