"""Repositories made of exactly the objects a test wants, hostile ones too, and a git that says how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.mirror.git import GitMirror

FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
Entry = str | tuple[str, str]
"""A regular file's text, or mode and content (a commit id for a submodule)."""

WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "dee"), ("EMAIL", "dee@example.com"), ("DATE", "2030-01-01T00:00:00Z"))
}


class Origin:
    """A bare repository, written object by object: git itself would refuse to add what some tests need."""

    def __init__(self, place: Path) -> None:
        self.place = place
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(place)], check=True)

    def git(self, *words: str, stdin: str = "") -> str:
        argv = ["git", f"--git-dir={self.place}", *words]
        env = {**os.environ, **WHO}
        done = subprocess.run(argv, input=stdin.encode(), env=env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, Entry], *parents: str, branch: str = "", message: str = "words") -> str:
        words = [word for parent in parents for word in ("-p", parent)]
        sha = self.git("commit-tree", self._tree(files), *words, "-m", message)
        if branch:
            self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def bomb(self, levels: int, branch: str) -> str:
        """A commit of a few objects whose tree lists ten to the power of ``levels`` files."""
        blob = self.git("hash-object", "-w", "--stdin", stdin="x")
        tree = self.git("mktree", stdin="".join(f"100644 blob {blob}\tf{number}\n" for number in range(10)))
        for _ in range(levels - 1):
            tree = self.git("mktree", stdin="".join(f"040000 tree {tree}\td{number}\n" for number in range(10)))
        sha = self.git("commit-tree", tree, "-m", "words")
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def _tree(self, files: Mapping[str, Entry]) -> str:
        records, below = [], dict[str, dict[str, Entry]]()
        for path, entry in files.items():
            top, slash, rest = path.partition("/")
            if slash:
                below.setdefault(top, {})[rest] = entry
                continue
            mode, content = (FILE, entry) if isinstance(entry, str) else entry
            kind = "commit" if mode == SUBMODULE else "blob"
            name = content if mode == SUBMODULE else self.git("hash-object", "-w", "--stdin", stdin=content)
            records.append(f"{mode} {kind} {name}\t{path}\0")
        records += [f"040000 tree {self._tree(inner)}\t{top}\0" for top, inner in below.items()]
        return self.git("mktree", "-z", "--missing", stdin="".join(records))


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


@pytest.fixture
def mirror(tmp_path: Path, origin: Origin) -> Iterator[GitMirror]:
    found = GitMirror(tmp_path / "mirrors" / "github" / "acme__infra.git", str(origin.place), lambda: None)
    yield found
    found.close()


@dataclass
class Calls:
    """What git was called with."""

    log: Path

    def said(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def of(self, command: str) -> list[str]:
        return [line for line in self.said() if f" {command} " in f" {line} "]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """From now on every command line of git is written down."""
    real, log = shutil.which("git"), tmp_path / "git.log"
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "git"
    program.write_text(f'#!/bin/sh\necho "$*" >> \'{log}\'\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return Calls(log)
