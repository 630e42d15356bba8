"""Every touch of git data: bare repositories, driven by plumbing commands, never with a working tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ZERO = "0" * 40

# Refuses the refs named in the environment by the server (which judged them before git saw the pack), and
# rewrites of refs that may only move forward: those can be judged only once the objects are here.
UPDATE_HOOK = """#!/bin/sh
refused() { case "
$1
" in *"
$2
"*) return 0;; esac; return 1; }
if refused "$FORGE_REFUSED_REFS" "$1"; then
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: $FORGE_REFUSED_REASON" >&2
  exit 1
fi
case "$2" in *[!0]*) ;; *) exit 0;; esac
case "$3" in *[!0]*) ;; *) exit 0;; esac
if refused "$FORGE_FORWARD_REFS" "$1" && ! git merge-base --is-ancestor "$2" "$3"; then
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: Cannot force-push to this branch" >&2
  exit 1
fi
exit 0
"""


class GitFailed(Exception):
    """A git command ended with an error; the message is git's."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who wrote a commit, and when."""

    name: str
    email: str
    at: datetime

    def line(self) -> str:
        """As git's stream format wants it."""
        return f"{self.name} <{self.email}> {int(self.at.timestamp())} +0000"


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit as git tells it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs between two commits."""

    status: str
    path: str
    previous: str | None
    blob: str
    additions: int
    deletions: int
    patch: str | None


def git_environment() -> dict[str, str]:
    """A git environment that no configuration of the machine or the user reaches."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C.UTF-8",
    }


class GitStore:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *words: str, stdin: bytes | None = None, extra: Mapping[str, str] | None = None) -> bytes:
        """Run git here and give its output. Raises GitFailed with git's words."""
        done = self.attempt(*words, stdin=stdin, extra=extra)
        if done.returncode != 0:
            raise GitFailed(f"git {words[0]}: {done.stderr.decode(errors='replace').strip()[:2000]}")
        return done.stdout

    def attempt(
        self, *words: str, stdin: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git here and give everything, also a failure."""
        return subprocess.run(
            ["git", "--git-dir", str(self.path), *words],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            check=False,
            env={**git_environment(), **(extra or {})},
        )

    def text(self, *words: str) -> str:
        """Run git here and give its output as stripped text."""
        return self.run(*words).decode(errors="replace").strip()

    def create(self, default_branch: str) -> None:
        """Make the bare repository, able to serve pushes and fetches of any commit."""
        self.path.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(self.path))
        self._settle()

    def copy_from(self, other: GitStore) -> None:
        """Make this repository a fork of another: its branches and tags."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        other.run("clone", "--quiet", "--bare", str(other.path), str(self.path))
        for ref in [*self.refs("refs/pull"), *self.refs("refs/merge-requests")]:
            self.run("update-ref", "-d", ref)
        self._settle()

    def _settle(self) -> None:
        config = "\n".join(
            (
                "[core]",
                "\trepositoryformatversion = 0",
                "\tbare = true",
                "\tlogallrefupdates = false",
                "[http]",
                "\treceivepack = true",
                "[receive]",
                "\tfsckObjects = true",
                "\tautogc = false",
                "\thideRefs = refs/pull",
                "\thideRefs = refs/merge-requests",
                "[uploadpack]",
                "\tallowAnySHA1InWant = true",
                "\tallowFilter = true",
                "[gc]",
                "\tauto = 0",
                "",
            )
        )
        (self.path / "config").write_text(config)
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(UPDATE_HOOK)
        hook.chmod(0o755)

    def refs(self, prefix: str = "refs/heads") -> dict[str, str]:
        """The refs below a prefix, by full name."""
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, tag, full ref or SHA (also a short one) means, else None."""
        if not name or name.startswith("-"):
            return None
        for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", name):
            done = self.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}")
            if done.returncode == 0:
                return done.stdout.decode().strip()
        return None

    def set_ref(self, ref: str, new: str | None) -> None:
        """Point a ref at a commit, or delete it."""
        if new is None:
            self.run("update-ref", "-d", ref)
        else:
            self.run("update-ref", ref, new)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether ``new`` contains ``old``."""
        return self.attempt("merge-base", "--is-ancestor", old, new).returncode == 0

    def merge_base(self, one: str, two: str) -> str | None:
        """The best common ancestor, None for unrelated histories."""
        done = self.attempt("merge-base", one, two)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def tree_of(self, sha: str) -> str:
        """The tree of a commit."""
        return self.text("rev-parse", f"{sha}^{{tree}}")

    def write_commit(
        self, parents: tuple[str, ...], files: Mapping[str, str | bytes | None], message: str, who: Signature
    ) -> str:
        """Write a commit that sets or deletes files on its first parent; no branch moves."""
        text = message.encode()
        lines = [b"feature done", b"commit refs/forge/scratch", b"mark :1"]
        lines += [f"{role} {who.line()}".encode() for role in ("author", "committer")]
        lines.append(b"data %d\n%s" % (len(text), text))
        lines += [b"%s %s" % (b"merge" if at else b"from", sha.encode()) for at, sha in enumerate(parents)]
        for path, content in files.items():
            lines.append(_file_command(path, content))
        lines += [b"get-mark :1", b"reset refs/forge/scratch", b"from " + ZERO.encode(), b"done", b""]
        return self.run("fast-import", "--quiet", "--force", stdin=b"\n".join(lines)).decode().split()[0]

    def commit_tree(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, committer: Signature | None = None
    ) -> str:
        """Write a commit for a tree that exists."""
        flags = [word for parent in parents for word in ("-p", parent)]
        by = committer or author
        identity = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"{int(author.at.timestamp())} +0000",
            "GIT_COMMITTER_NAME": by.name,
            "GIT_COMMITTER_EMAIL": by.email,
            "GIT_COMMITTER_DATE": f"{int(by.at.timestamp())} +0000",
        }
        return self.run("commit-tree", tree, *flags, stdin=message.encode(), extra=identity).decode().strip()

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """The tree of merging two commits, None when they conflict. Raises GitFailed for unrelated histories."""
        done = self.attempt("merge-tree", "--write-tree", "--no-messages", ours, theirs)
        if done.returncode == 1:
            return None
        if done.returncode != 0:
            raise GitFailed(done.stderr.decode(errors="replace")[:500])
        return done.stdout.decode().split("\n", 1)[0].strip()

    def fetch_from(self, other: GitStore, sha: str, ref: str) -> None:
        """Bring a commit of another repository here under a ref."""
        if other.path == self.path:
            self.set_ref(ref, sha)
        else:
            self.run("fetch", "--quiet", "--no-tags", str(other.path), f"+{sha}:{ref}")


def _file_command(path: str, content: str | bytes | None) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if content is None:
        return f"D {quoted}".encode()
    data = content.encode() if isinstance(content, str) else content
    mode = "100755" if data.startswith(b"#!") else "100644"
    return f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data
