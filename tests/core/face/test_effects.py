"""Effects as a diff: signs, reasons, values that may be shown and those that may not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.core.effectset import ABSENT, UNKNOWN, Action, EffectSet, Leaf, OutputEffect, Value, ValueKind
from bot.core.face.effects import ROOM, Detail, blocks, headline, show, why_replaced

ONE, TWO = Value.known(1), Value.known(2)
SECRET = Value.sensitive(b"k", "hunter2")


@pytest.mark.parametrize(
    ("action", "sign"),
    [
        (Action.CREATE, "+ a.x"), (Action.UPDATE, " ~ a.x"), (Action.DELETE, "- a.x"), (Action.REPLACE, "-/+ a.x"),
        (Action.MOVE, " → a.x"), (Action.IMPORT, "+ a.x"), (Action.FORGET, "- a.x"), (Action.RUN, "! a.x"),
    ],
)  # fmt: skip
def test_every_action_has_its_sign(build: SimpleNamespace, action: Action, sign: str) -> None:
    assert headline(build.an_effect("a.x", action)) == sign


def test_moves_imports_and_replacements_say_from_where_and_why(build: SimpleNamespace) -> None:
    assert headline(build.an_effect("a", Action.MOVE, previous_address="b", import_id="i-1")).endswith(
        "(was b; import of i-1)"
    )
    forced = build.an_effect("a", Action.REPLACE, leaves=(Leaf("ami", ONE, TWO),), replace_paths=("ami",))
    assert why_replaced(forced) == "ami: 1 → 2, forces replacement"
    assert why_replaced(build.an_effect("a", Action.REPLACE, replace_paths=("x",))) == "x cannot be changed in place"
    known = build.an_effect("a", Action.REPLACE, reason="replace_because_tainted")
    assert why_replaced(known) == "was left damaged by an earlier deploy"
    assert why_replaced(build.an_effect("a", Action.DELETE, reason="a_new_reason")) == "a new reason"
    assert why_replaced(build.an_effect("a", Action.UPDATE, reason="a_new_reason")) == ""


def full(build: SimpleNamespace, leaf: Leaf, action: Action = Action.UPDATE) -> tuple[str, ...]:
    (found,) = blocks(build.an_effect_set(build.an_effect("a.x", action, leaves=(leaf,))), Detail.FULL)
    return found[1:]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (ONE, TWO, "1 → 2"),
        (ABSENT, TWO, "2"),
        (ONE, ABSENT, "1 → removed"),
        (ONE, UNKNOWN, "1 → known after apply"),
        (SECRET, Value.sensitive(b"k", "other"), "(sensitive, changed)"),
        (SECRET, SECRET, "(sensitive)"),
        (Value(ValueKind.KNOWN, "{odd"), TWO, "{odd → 2"),
    ],
)
def test_a_changed_value_is_shown_unless_it_is_secret(
    build: SimpleNamespace, before: Value, after: Value, line: str
) -> None:
    assert full(build, Leaf("name", before, after)) == (f"      ~ name  {line}",)


def test_a_created_things_values_are_listed(build: SimpleNamespace) -> None:
    assert full(build, Leaf("name", ABSENT, SECRET), Action.CREATE) == ("      name  (sensitive)",)
    assert show(ABSENT) == "nothing"


def test_texts_are_compared_line_by_line(build: SimpleNamespace) -> None:
    before, after = Value.known("same\nold"), Value.known("same\nnew")
    assert full(build, Leaf("text", before, after)) == ("      ~ text", "-         old", "+         new")
    long = Value.known("\n".join(str(n) for n in range(ROOM[Detail.FULL].lines + 5)))
    assert full(build, Leaf("text", ABSENT, long))[-1] == "          … 5 more lines differ"


def test_less_detail_shows_names_then_addresses_then_nothing(build: SimpleNamespace) -> None:
    made = build.an_effect_set(
        build.an_effect(), build.an_effect("b", leaves=()), build.an_effect("z", Action.DELETE)
    )
    assert [each[0] for each in blocks(made, Detail.ADDRESSES)] == ["- z", "+ aws_bucket.logs", "+ b"]
    assert blocks(made, Detail.NAMES) == (("- z",), ("+ aws_bucket.logs", "      name"), ("+ b",))
    assert blocks(made, Detail.COUNTS) == ()


def test_outputs_have_a_block_of_their_own() -> None:
    made = EffectSet(outputs=(OutputEffect("url", ONE, TWO),))
    assert blocks(made, Detail.FULL) == (("  outputs", "      ~ url  1 → 2"),)
    assert blocks(made, Detail.NAMES) == (("  outputs", "      ~ url"),)


def test_nothing_hides_behind_a_long_beginning(build: SimpleNamespace) -> None:
    start = "x" * 500
    (line,) = full(
        build, Leaf("data", Value.known(f"{start} allow 10.0.0.0/8"), Value.known(f"{start} allow 0.0.0.0/0"))
    )
    assert "10.0.0.0/8" in line and "0.0.0.0/0" in line
    (longer,) = full(build, Leaf("data", Value.known(start), Value.known(f"{start} and more")))
    assert "and more" in longer
    (early,) = full(build, Leaf("data", Value.known("a" + start), Value.known("b" + start)))
    assert '"axxx' in early and '"bxxx' in early


def test_lines_that_only_change_places_are_told(build: SimpleNamespace) -> None:
    leaf = Leaf("text", Value.known("stop\nstart"), Value.known("start\nstop"))
    assert full(build, leaf)[-1].strip() == "the same lines in another order, or another number of times"


def test_where_there_is_room_long_values_are_whole(build: SimpleNamespace) -> None:
    leaf = Leaf("data", ABSENT, Value.known("x" * 5000))
    text = Leaf("text", ABSENT, Value.known("\n".join(map(str, range(500)))))
    made = build.an_effect_set(build.an_effect("a.x", Action.UPDATE, leaves=(leaf, text)))
    (whole,) = blocks(made, Detail.WHOLE)
    assert "x" * 5000 in whole[1]
    assert not any("more lines" in line for line in whole)
