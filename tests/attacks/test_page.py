"""The documents name every attack and what stops it."""

from __future__ import annotations

from pathlib import Path

from attacks.layers import SWITCHES, WHAT, Layer
from attacks.page import page

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_of_attacks_is_what_the_attacks_make_now() -> None:
    assert (ROOT / "docs" / "attacks.md").read_text() == page()


def test_every_layer_can_be_left_out_and_is_described() -> None:
    assert set(SWITCHES) == set(WHAT) == set(Layer)
