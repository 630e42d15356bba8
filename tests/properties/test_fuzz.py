"""A bounded share of what ``bench/fuzz.py`` does: the same subjects and rules, and the same inputs each time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import subject as judging
from fuzzing.mutation import Mutator
from fuzzing.subject import Broken, Subject, demand, tried
from fuzzing.subjects import SUBJECTS

SEED = 20
SHARE = 1500
"""Inputs of a subject of weight 1; slow ones have a smaller weight."""
STRETCHED = 6
LARGEST = 60_000
"""Bytes of a stretched input here; the benchmark goes to what production admits."""


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_no_input_breaks_a_rule_hangs_or_takes_memory_without_bound(subject: Subject) -> None:
    mutator = Mutator(subject)
    inputs = [*mutator.inputs(SEED, int(SHARE * subject.weight)), *mutator.stretched(SEED, STRETCHED, LARGEST)]
    broken = [(outcome.why, data[:500]) for data in inputs if (outcome := tried(subject, data)).why]
    assert broken == []


# The judge itself: what it would not see, no subject could show.


def harmless(check: Callable[[bytes], None]) -> Subject:
    return Subject("x", check, (b"a: 1\nb: [2, 3]\n", b"c"), (b"word",), largest=500)


def test_what_an_input_raises_is_told_and_alike_defects_have_one_name() -> None:
    subject = harmless(lambda data: demand(data != b"c", "no c"))
    assert tried(subject, b"a").why == ""
    assert tried(subject, b"c").why == "Broken: no c"
    assert tried(subject, b"c").signature == tried(subject, b"c").signature
    assert tried(harmless(lambda data: data.decode()), b"\xff").why.startswith("UnicodeDecodeError")
    assert issubclass(Broken, Exception)


def test_an_input_that_takes_longer_than_its_size_excuses_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "HANG", 0.01)
    assert tried(harmless(lambda _: sum(range(3_000_000)) and None), b"abc").why.startswith("Hang: ")


def test_an_input_that_takes_much_memory_is_told() -> None:
    # In a small process, whose peak is known to be below.
    program = (
        "from fuzzing import subject as judging; judging.GROWTH = 40\n"
        "subject = judging.Subject('x', lambda _: bytearray(b'x') * 200_000_000 and None, ())\n"
        "print(judging.tried(subject, b'abc').why)"
    )
    path = str(Path(judging.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, check=True)
    assert done.stdout.startswith(b"Memory: ")


def test_the_same_seed_gives_the_same_inputs_within_the_largest_size() -> None:
    mutator = Mutator(harmless(lambda _: None))
    inputs = [list(mutator.inputs(seed, 50)) + list(mutator.stretched(seed, 50)) for seed in (1, 1, 2)]
    assert inputs[0] == inputs[1] != inputs[2]
    assert max(map(len, inputs[0])) == 500
    assert len({*inputs[0]}) > 60
