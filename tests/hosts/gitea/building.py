"""A real Gitea, built once from its Go module and kept outside the repository; ``python building.py`` builds it now.

The module is built as it is, without its web pages' scripts (no test looks at them): templates and options are read
from beside the program, so that nothing has to be generated.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "code.gitea.io/gitea"
VERSION = "v1.26.0"
TAGS = "sqlite sqlite_unlock_notify"
BESIDE = ("templates", "options", "public")
"""Folders of the module that the program reads when it runs."""


class CannotBuild(Exception):
    """Why there is no server to test against; its text is the reason of the skip."""


def place() -> Path:
    """Where the built server is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "headgate-tests" / f"gitea-{VERSION}"


def built(*, now: bool) -> Path:
    """The folder with ``gitea`` and what it reads; without ``now`` as it is there already. Raises CannotBuild."""
    folder = place()
    if (folder / "gitea").exists():
        return folder
    if not now:
        raise CannotBuild(
            f"no Gitea is built yet: python3 {Path(__file__).name} in tests/hosts/gitea builds it (minutes)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / "lock"):
        if not (folder / "gitea").exists():
            _build(folder)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One builder at a time; the others wait for what it makes."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise CannotBuild("Go is not installed, so Gitea cannot be built")
    source = Path(json.loads(_run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], folder))["Dir"])
    for name in BESIDE:
        shutil.copytree(source / name, folder / "static" / name, dirs_exist_ok=True, copy_function=shutil.copyfile)
    flags = f"-s -w -X main.Version={VERSION[1:]}"
    words = ["build", "-p", "1", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-tags", TAGS]
    made = folder / f"gitea.{os.getpid()}"
    _run(["nice", go, "-C", str(source), *words, "-o", str(made), "."], folder)
    made.rename(folder / "gitea")


def _run(argv: list[str], folder: Path) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise CannotBuild(f"Gitea cannot be built: {last[:300]}")
    return done.stdout


if __name__ == "__main__":
    began = time.monotonic()
    try:
        print(f"Gitea is in {built(now=True)} ({time.monotonic() - began:.0f} s)")
    except CannotBuild as why:
        sys.exit(str(why))
