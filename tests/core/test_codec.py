"""Documents come back as they went in, and a newer one is never misread."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core import codec
from bot.core.ci import CheckRule, NamedCheck
from bot.core.codec import DamagedDocument, Document, NewerFormat
from bot.core.effectset import EffectSet
from bot.core.model import ChangeRef, RepoRef
from bot.core.project import Project, Selection
from bot.core.record import MEMORY_FORMAT, Intent, Memory
from bot.core.rules import Environment
from bot.core.runs import Run, RunKind

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
"""What a project's options can hold: the values of JSON."""

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(object, PLAIN)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))

LAW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@LAW
@given(st.from_type(Memory))
def test_a_memory_comes_back_as_it_went_in(memory):
    assert codec.decode(codec.MEMORY, codec.encode(codec.MEMORY, memory)) == memory


@LAW
@given(st.from_type(Run))
def test_a_run_comes_back_as_it_went_in(run):
    assert codec.decode(codec.RUN, codec.encode(codec.RUN, run)) == run


@LAW
@given(st.from_type(EffectSet))
def test_an_effect_set_comes_back_as_it_went_in(effects):
    assert codec.decode(codec.EFFECTS, codec.encode(codec.EFFECTS, effects)) == effects


@LAW
@given(st.from_type(Intent))
def test_an_intent_comes_back_as_it_went_in(intent):
    assert codec.decode(codec.INTENT, codec.encode(codec.INTENT, intent)) == intent


@LAW
@given(st.from_type(Memory))
def test_equal_memories_are_equal_text_without_a_raw_control_character(memory):
    text = codec.encode(codec.MEMORY, memory)
    assert text == codec.encode(codec.MEMORY, codec.decode(codec.MEMORY, text))
    assert all(ord(character) >= 32 for character in text)


def _run(**options: object) -> Run:
    project = Project("net", "live/net", "terraform", options=options)
    return Run(
        "r", ChangeRef(RepoRef("g", "a/b"), 1), RunKind.PLAN, project, "c", "d", datetime(2030, 1, 1, tzinfo=UTC)
    )


def test_a_lone_surrogate_becomes_a_replacement_character_and_nothing_else_changes():
    run = replace(_run(b="x\ud800y", a="😀"), log="\udfff")
    found = codec.decode(codec.RUN, codec.encode(codec.RUN, run))
    assert found == replace(_run(b="x\ufffdy", a="😀"), log="\ufffd")


def test_a_time_keeps_its_moment_in_any_zone():
    at = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    run = replace(_run(), created_at=at)
    assert codec.decode(codec.RUN, codec.encode(codec.RUN, run)).created_at == at


@pytest.mark.parametrize("document", codec.DOCUMENTS, ids=lambda document: document.name)
def test_a_newer_format_is_refused_whatever_it_holds(document):
    text = json.dumps({"format": document.format + 1, "body": {}})
    with pytest.raises(NewerFormat, match=f"{document.name}.*newer Headgate"):
        codec.decode(document, text)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"format":1}', '{"format":1,"body":{"id":1}}', '{"format":"1","body":{}}']
)
def test_text_that_is_no_run_is_called_damaged(text):
    with pytest.raises(DamagedDocument, match="run"):
        codec.decode(codec.RUN, text)


@dataclass(frozen=True, slots=True)
class _Third:
    name: str
    count: int


THIRD = Document(
    "sample",
    _Third,
    3,
    {1: lambda body: {"name": body["title"]}, 2: lambda body: body | {"count": 7}},
)


def test_an_old_format_is_lifted_step_by_step():
    assert codec.decode(THIRD, '{"format":1,"body":{"title":"x"}}') == _Third("x", 7)
    assert codec.decode(THIRD, '{"format":2,"body":{"name":"x"}}') == _Third("x", 7)
    assert codec.decode(THIRD, codec.encode(THIRD, _Third("x", 1))) == _Third("x", 1)


def test_a_memory_from_before_the_static_guard_selects_anew():
    text = codec.encode(codec.MEMORY, Memory(format=1, selection=Selection("h", "b"), selection_key="k"))
    old = text.replace(f'{{"format":{MEMORY_FORMAT}', '{"format":1', 1).replace(',"guard":[]', "")
    assert old != text
    found = codec.decode(codec.MEMORY, old)
    assert (found.format, found.selection_key) == (MEMORY_FORMAT, "")


def test_a_format_without_a_way_up_is_called_damaged():
    with pytest.raises(DamagedDocument, match="format 0"):
        codec.decode(THIRD, '{"format":0,"body":{}}')


@pytest.mark.parametrize(
    "text", [b'{"format":1,"body":{"resources":[{"address":"\xff","action":"run"}]}}', b'{"a":' * 5000 + b"}" * 5000]
)
def test_text_that_is_no_text_and_text_without_bottom_are_damaged(text: bytes) -> None:
    with pytest.raises(DamagedDocument):
        codec.decode(codec.EFFECTS, text)


def test_a_memory_from_before_checks_had_rules_keeps_their_names():
    asked = Environment("prod", required_checks=(CheckRule((NamedCheck("lint"),)),))
    text = codec.encode(codec.MEMORY, Memory(tightened={"prod": asked}))
    rule = '{"any_of":[{"name":"lint","source":""}],"if_present":false}'
    assert rule in text
    old = text.replace(rule, '"lint"').replace(f'{{"format":{MEMORY_FORMAT}', '{"format":2', 1)
    assert codec.decode(codec.MEMORY, old.replace(f'"format":{MEMORY_FORMAT}', '"format":2')).tightened == {
        "prod": asked
    }


def test_what_is_no_document_cannot_be_stored():
    with pytest.raises(TypeError, match="a object cannot be stored"):
        codec.encode(codec.MEMORY, Memory(tightened={"prod": object()}))  # type: ignore[dict-item]


def test_an_alteration_that_makes_another_document_of_it_is_told_and_not_stored() -> None:
    text = codec.encode(codec.MEMORY, Memory())
    assert codec.decode(codec.MEMORY, codec.altered(codec.MEMORY, text, lambda plain: plain)) == Memory()
    with pytest.raises(DamagedDocument, match="cannot be altered"):
        codec.altered(codec.MEMORY, text, lambda _: {"requests": 5})


def test_a_document_can_be_altered_as_plain_json_and_must_still_be_one_afterwards():
    run = _run(note="x")
    text = codec.encode(codec.RUN, run)
    renamed = codec.altered(codec.RUN, text, lambda plain: {**plain, "commit": "f" * 40})
    assert codec.decode(codec.RUN, renamed) == replace(run, commit="f" * 40)
    assert codec.altered(codec.RUN, text, lambda plain: plain) == text
    with pytest.raises(DamagedDocument, match="cannot be altered"):
        codec.altered(codec.RUN, text, lambda plain: {**plain, "kind": "no such kind"})


@LAW
@given(st.from_type(Memory))
def test_what_alters_nothing_leaves_a_memory_as_it_is(memory):
    text = codec.encode(codec.MEMORY, memory)
    assert codec.decode(codec.MEMORY, codec.altered(codec.MEMORY, text, lambda plain: plain)) == memory
