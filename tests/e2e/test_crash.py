"""kill -9 of any process of ours, and FLUSHALL, at random moments: the same end, and never two applies at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import day

KILLS = 50


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_is_killed_the_day_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    assert len(day(tmp_path, seed=7, kills=KILLS)) >= KILLS
