"""Commands are named so that they reach us, and nothing else of a text is touched."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.core.commands import HELP, parse
from bot.core.decide.publishing import host_effects
from bot.core.effects import PublishComment
from bot.core.face.address import reaching
from bot.core.face.compose import compose
from bot.core.face.explain import help_text
from bot.core.gate import judge
from bot.core.record import Command
from bot.core.rules import Mode


def test_where_a_slash_reaches_us_nothing_is_altered() -> None:
    assert reaching("say `/merge`", slash_commands=True) == "say `/merge`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`/plan` again · `/explain`", "`headgate plan` again · `headgate explain`"),
        ("with `/deploy app --accept 12ab`, or", "with `headgate deploy app --accept 12ab`, or"),
        ("`/ok-to-plan 0a1b2c3`", "`headgate ok-to-plan 0a1b2c3`"),
        ("`/planet` `/etc/plan` /plan `/plan", "`/planet` `/etc/plan` /plan `/plan"),
        ("```\n`/plan\n```", "```\n`/plan\n```"),
    ],
)
def test_where_it_does_not_our_commands_are_addressed_by_name(text: str, said: str) -> None:
    assert reaching(text, slash_commands=False) == said
    assert reaching(said, slash_commands=False) == said


@pytest.mark.parametrize("row", HELP, ids=lambda row: row.verb.value)
def test_every_command_is_understood_in_the_form_that_is_shown(row: object) -> None:
    words = f"`/{row.verb.value} 0a1b2c3`" if row.verb.value == "ok-to-plan" else f"`/{row.verb.value}`"  # type: ignore[attr-defined]
    said = reaching(words, slash_commands=False).strip("`")
    (parsed,) = parse(said, bot_names=())
    assert isinstance(parsed, Command) and parsed.verb is row.verb  # type: ignore[attr-defined]


def test_the_whole_comment_names_no_slash_there(build: SimpleNamespace) -> None:
    snapshot = replace(build.a_snapshot(), slash_commands=False)
    (comment,) = (
        each for each in host_effects(snapshot, judge(snapshot)) if isinstance(each, PublishComment)
    )  # fmt: skip
    assert "`headgate merge`" in comment.pages[0] and "`headgate help`" in comment.pages[0]
    assert "`/" not in comment.pages[0]


def test_help_leaves_the_slash_out_where_it_is_not_heard() -> None:
    assert "slash" not in help_text("bot") and "`/plan`" in help_text("bot")
    assert "`@bot plan` or `headgate plan`" in help_text("bot", slash_commands=False)
    assert "`/plan`" not in help_text("bot", slash_commands=False)


def test_where_only_we_may_merge_nobody_is_told_to_merge(build: SimpleNamespace) -> None:
    ready = replace(build.an_approved(), required_by_name=False)

    def next_step(snapshot: object) -> str:
        found = compose(snapshot, judge(snapshot))  # type: ignore[arg-type]
        assert found is not None
        return found.next

    assert next_step(ready).startswith("say `/merge`: nobody but Headgate may merge here.")
    automatic = replace(ready, rules=replace(ready.rules, auto_merge=True))
    assert next_step(automatic).startswith("Headgate merges by itself; nobody else may.")
    speaking = replace(ready, rules=replace(ready.rules, mode=Mode.COMMENT))
    assert next_step(speaking).startswith("merge, or say `/merge`.")
