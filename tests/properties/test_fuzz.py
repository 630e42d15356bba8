"""A bounded share of what ``bench/fuzz.py`` does: the same subjects and rules, and the same inputs each time."""

from __future__ import annotations

import pytest
from fuzzing.mutation import Mutator
from fuzzing.subject import Subject, tried
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
