"""What is fuzzed: something that takes hostile bytes, with the rule (oracle) that must hold for all of them.

The benchmark (``bench/fuzz.py``) and the bounded share in the tests use the same subjects.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Check = Callable[[bytes], None]
"""Takes one input; whatever it raises is a defect."""

HANG = 2.0
"""Seconds of processor time that one input may take, beside what its size excuses."""
GROWTH = 512
"""Megabytes by which one input may raise the process' peak."""


class Broken(Exception):
    """A rule does not hold for this input."""


def demand(holds: object, rule: str) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(rule)


@dataclass(frozen=True)
class Subject:
    """One reader of hostile input.

    ``samples`` are real inputs, from which others are made; ``words`` what its grammar is made of; ``largest`` the
    bytes that production admits; ``kind`` how inputs are altered (``json`` and ``lines`` by their structure as well);
    ``weight`` its share of the inputs; ``per_byte`` processor seconds that a byte more may cost.
    """

    name: str
    check: Check
    samples: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    largest: int = 100_000
    kind: str = "lines"
    weight: float = 1.0
    per_byte: float = 2e-6

    def patience(self, size: int) -> float:
        """Seconds after which an input of this size counts as a hang."""
        return HANG + size * self.per_byte


@dataclass(frozen=True)
class Outcome:
    """What came of one input; ``why`` is empty when all is well. ``grown`` in MB."""

    seconds: float
    grown: float = 0.0
    why: str = ""
    place: str = ""

    @property
    def signature(self) -> str:
        """Tells defects apart: what was raised, and from which line of ours."""
        return hashlib.sha256(f"{self.why.partition(':')[0]}{self.place}".encode()).hexdigest()[:12]


def peak() -> float:
    """The process' greatest resident size so far, in MB."""
    try:
        # A process begins with its parent's `ru_maxrss`, which would hide what it takes itself.
        with Path("/proc/self/status").open("rb") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(b"VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tried(subject: Subject, data: bytes) -> Outcome:
    """Give one input to a subject, and judge its time and its memory too."""
    before, begun = peak(), time.process_time()
    why = place = ""
    try:
        subject.check(data)
    except Exception as error:  # whatever comes out is what is looked for
        why, place = f"{type(error).__name__}: {error}"[:300], _place(error)
    taken, grown = time.process_time() - begun, peak() - before
    if not why and taken > subject.patience(len(data)):
        why = f"Hang: {taken:.1f} s for {len(data):,} bytes"
    if not why and grown > GROWTH:
        why = f"Memory: {grown:.0f} MB for {len(data):,} bytes"
    return Outcome(taken, grown, why, place)


def _place(error: BaseException) -> str:
    """The last frames inside our own code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bot/" in frame.filename] or frames
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-3:]))


def bounded_memory(megabytes: int) -> None:
    """From now on an allocation beyond this fails, so that no input can take the machine along."""
    size = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def named(subjects: Sequence[Subject], name: str) -> Subject:
    """The subject of that name; exits with the names there are."""
    for subject in subjects:
        if subject.name == name:
            return subject
    sys.exit(f"no subject is called {name!r}; there are: {', '.join(each.name for each in subjects)}")
