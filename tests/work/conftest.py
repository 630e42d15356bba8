"""Runs to supervise: a module that a new process can import, whose functions do what their run's id says."""

from __future__ import annotations

import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

RUNS = """
import os, signal, subprocess, sys, threading
from pathlib import Path

def say(place, word):
    with open(Path(place) / "said", "a") as said:
        said.write(word + chr(10))

def main(run_id):
    what, _, place = run_id.partition(":")
    globals()[what](place)

def succeed(place):
    say(place, f"pid {os.getpid()} session {os.getsid(0)}")

def fail(place):
    raise SystemExit(7)

def crash(place):
    raise ValueError("as asked")

def die(place):
    os.kill(os.getpid(), signal.SIGKILL)

def wait(place):
    say(place, f"pid {os.getpid()}")
    while not (Path(place) / "go").exists():
        threading.Event().wait(0.02)
    say(place, "done")

def polite(place):
    told = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: told.set())
    say(place, f"pid {os.getpid()}")
    while not told.wait(0.02):
        pass
    say(place, "told")
    raise SystemExit(3)

def deaf(place):
    signal.signal(signal.SIGINT, lambda *_: say(place, "int"))
    family(place)

def stone(place):
    signal.signal(signal.SIGINT, lambda *_: say(place, "int"))
    signal.signal(signal.SIGTERM, lambda *_: say(place, "term"))
    family(place)

def family(place):
    # A tool in a process group of its own, as a sandbox starts it, and one that even left the session.
    tools = [
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0),
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True),
    ]
    say(place, f"pid {os.getpid()} " + " ".join(f"tool {tool.pid}" for tool in tools))
    while True:
        threading.Event().wait(1)
"""


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition, with a deadline."""

    def wait(holds: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come true in time"
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def runs_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of runs. A new name each time, because a fork server keeps what it imported."""
    name = f"runs_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(RUNS))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(tmp_path) in sys.path
    return name


class Said:
    """What a run said so far."""

    def __init__(self, place: Path) -> None:
        self._file = place / "said"

    def words(self) -> list[str]:
        return self._file.read_text().split() if self._file.exists() else []

    def numbers(self, word: str) -> list[int]:
        words = self.words()
        return [int(after) for before, after in pairwise(words) if before == word]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    return Said(tmp_path)
