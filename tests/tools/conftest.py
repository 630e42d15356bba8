"""Jobs for tools: a directory of files, a real sandbox, a log that can be read."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.core.project import Project
from bot.core.redaction import Redactor
from bot.ports import Executed, Execution, Job
from bot.sandbox.enclosure import Enclosure, unavailable
from bot.sandbox.process import SYSTEM_PATH, ProcessSandbox

KEY = b"k" * 32


@dataclass
class Watched:
    """The real sandbox, and which commands went through it."""

    sandbox: ProcessSandbox
    commands: list[tuple[str, ...]]

    def run(self, execution: Execution) -> Executed:
        self.commands.append(execution.argv)
        return self.sandbox.run(execution)

    def find(self, word: str) -> str:
        return self.sandbox.find(word)


class Workshop:
    """One project's directory and cache; each job of it has a scratch directory of its own, as each run has."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "tree"
        self.directory = self.root / "live"
        self.directory.mkdir(parents=True)
        self.cache = place / "cache"
        self.cache.mkdir()
        self.shared = place / "shared"
        self.shared.mkdir()
        self.grants: tuple[Path, ...] = ()
        self.narrow = False
        self.isolated = not unavailable()
        self.pieces: list[str] = []
        self.redactor = Redactor(())
        self.cancel = threading.Event()
        self.commands: list[tuple[str, ...]] = []
        self._numbers = itertools.count()

    @property
    def log(self) -> str:
        return "".join(self.pieces)

    def sandbox(self, run_id: str) -> Watched:
        path = f"{SYSTEM_PATH}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        # What lies beside the tree stands for what the operator granted: live state, a backend.
        writable = () if self.narrow else (self.place,)
        walls = Enclosure(run_id, self.root, (*self.grants, *self.place.glob("tf")), writable, host_network=True)
        sandbox = ProcessSandbox(
            log=self.pieces.append,
            redactor=self.redactor,
            cancelled=self.cancel.is_set,
            path=path,
            enclosure=None if unavailable() else walls,
        )
        return Watched(sandbox, self.commands)

    def write(self, files: Mapping[str, str]) -> None:
        """Files of the project's directory."""
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def job(self, tool: str, options: Mapping[str, object] | None = None, *, workspace: str = "default",
            env: Mapping[str, str] | None = None, deploy: bool = False, timeout: float = 90.0) -> Job:  # fmt: skip
        """One more run of the project."""
        number = next(self._numbers)
        scratch = self.place / f"scratch-{number}"
        scratch.mkdir()
        return Job(
            run_id=f"run{number}",
            project=Project("live", "live", tool, workspace=workspace, options=dict(options or {})),
            root=self.root,
            directory=self.directory,
            scratch=scratch,
            cache=self.cache,
            shared=self.shared,
            sandbox=self.sandbox(f"run{number}"),
            env=dict(env or {}),
            key=KEY,
            secret=self.redactor.add,
            timeout=timeout,
            deploy=deploy,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def job(shop: Workshop) -> Callable[..., Job]:
    """``job(tool, options, files={…})`` makes a Job of the shop's project."""

    def make(tool: str, options: Mapping[str, object] | None = None, files: Mapping[str, str] | None = None,
             **words: object) -> Job:  # fmt: skip
        shop.write(files or {})
        return shop.job(tool, options, **words)  # type: ignore[arg-type]

    return make
