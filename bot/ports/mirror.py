"""The bare mirror of a repository, where everything is read without a working tree.

Every method says what it raises; anything not said is a bug of the adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.core.guard.model import Listing
from bot.core.policy.facts import FileFact
from bot.core.policy.ground import GitCommit


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Merging head onto base in the mirror: a synthetic commit and its tree, or the files in conflict."""

    commit: str
    tree: str
    conflicts: tuple[str, ...] = ()


class Mirror(Protocol):
    """A bare mirror of one repository: everything is read here without a working tree.

    Raises HostBusy (the remote cannot be reached), HostGone (an object is not there), HostDenied.
    """

    def fetch(self, wants: Sequence[str], *, branch: str = "", change: int = 0) -> None:
        """Make the commits in ``wants`` present; one trip at most, none when they are all here already."""
        ...

    def branch_head(self, branch: str) -> str:
        """Ask the remote for a branch's commit (fetches it)."""
        ...

    def has(self, sha: str) -> bool: ...

    def tree(self, sha: str) -> str: ...

    def merge(self, base: str, head: str) -> MergeResult:
        """Deterministic: the same two commits always give the same synthetic commit."""
        ...

    def merge_base(self, base: str, head: str) -> str: ...

    def is_ancestor(self, older: str, newer: str) -> bool: ...

    def first_parents(self, sha: str, since: str = "", limit: int = 500) -> tuple[str, ...]:
        """The first-parent line from ``sha`` back to (not including) ``since``, newest first."""
        ...

    def order(self, sha: str) -> int:
        """Number of commits on the first-parent line up to ``sha``."""
        ...

    def parents(self, sha: str) -> tuple[str, ...]: ...

    def changed_paths(self, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two trees or commits, both sides of a rename, sorted."""
        ...

    def changed_files(self, base: str, head: str) -> tuple[FileFact, ...]:
        """The same with what happened to each and to how many of its lines. Raises TooLarge, too."""
        ...

    def commits(self, shas: Sequence[str]) -> Mapping[str, GitCommit]:
        """Parents and messages of those of these commits that are here; a message is cut after 10,000 bytes."""
        ...

    def source(self, sha: str) -> Listing: ...

    def digest(self, sha: str, paths: Sequence[str]) -> str:
        """Identifies the content of these files and directories in a tree (git object ids, no reading)."""
        ...

    def checkout(self, sha: str, paths: Sequence[str], at: Path) -> None:
        """A sparse work tree of ``paths`` (directories with all below, and files); links that leave the tree
        are refused (HostDenied); hooks, filters, submodules and LFS are off."""
        ...
