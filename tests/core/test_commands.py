"""Commands in comments: every row of what the field expects, and silence about what was not meant."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.commands import ALIASES, HELP, MAX_COMMANDS, MAX_REASON, RULES, Malformed, Parsed, Unknown, parse
from bot.core.record import Command, Verb

BOTS = ("acme-bot[bot]", "acme-bot", "demo")
HOLD, PLAN = Command(Verb.HOLD), Command(Verb.PLAN)


def said(body: str) -> tuple[Parsed, ...]:
    return parse(body, bot_names=BOTS)


def one(body: str) -> Parsed:
    [found] = said(body)
    return found


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("/hold", (HOLD,)),
        ("/HOLD", (HOLD,)),
        (" /hold", ()),
        ("> /hold", ()),
        ("   > /hold", ()),
        ("please /hold", ()),
        ("/hold\n/plan", (HOLD, PLAN)),
        ("/hold\r\n", (HOLD,)),
        ("/hold\r/plan", (HOLD, PLAN)),
        ("/hold \t \n", (HOLD,)),
        ("```\n/hold\n```", ()),
        ("~~~yaml\n/hold\n~~~\n/plan", (PLAN,)),
        ("````\n```\n/hold\n````\n/plan", (PLAN,)),
        ("```\n    ```\n/hold\n```", ()),
        ("```\n``` x\n/hold", ()),
        ("```/hold```\n/plan", (PLAN,)),
        ("```\n/hold", ()),
        ("<!-- /hold -->", ()),
        ("<!--\n/hold\n-->\n/plan", (PLAN,)),
        ("<!--\n/hold\n--> <!-- again\n/hold\n-->\n/plan", (PLAN,)),
        ("x <!-- a --> y <!-- b\n/hold\n-->\n/plan", (PLAN,)),
        ("<!-- a -->\n/plan", (PLAN,)),
        ("-->/hold", ()),
        ("<!--\n-->/hold", ()),
        ("/hold <!-- for later -->", (HOLD,)),
        ("/hold <!-- for\nlater\n-->", (HOLD,)),
        ("`<!--` hides\n/plan", (PLAN,)),
        ("> <!-- quoted\n/plan", (PLAN,)),
        ("/hold\u2028/plan", ()),
        ("/holdon", (Unknown("holdon", "hold"),)),
        ("/hold waiting for DBA", (Command(Verb.HOLD, reason="waiting for DBA"),)),
        ("/hold\ncancel", (HOLD,)),
        ("/hold cancel", (Command(Verb.UNHOLD),)),
        ("/remove-hold", (Command(Verb.UNHOLD),)),
        ("/unhold now please", (Command(Verb.UNHOLD),)),
        ("/lgtm", (Unknown("lgtm"),)),
        ("/test a b", (Unknown("test"),)),
        ("/apply", (Unknown("apply", "deploy"),)),
        ("/usr/bin/plan", ()),
        ("/", ()),
        ("//plan", ()),
        ("/plan/x", ()),
        ("", ()),
    ],
)
def test_a_command_begins_its_line_outside_code_quotes_and_hidden_text(body: str, wanted: tuple[Parsed, ...]) -> None:
    assert said(body) == wanted


@pytest.mark.parametrize(
    "body",
    [
        "@acme-bot plan",
        "@acme-bot: plan",
        "@acme-bot, PLAN",
        "@acme-bot[bot] plan",
        "@ACME-BOT\tplan",
        "@demo /plan",
        "@headgate `plan`",
        "headgate plan",
        "Headgate: plan.",
        "headgate /plan",
    ],
)
def test_we_can_be_addressed_by_name(body: str) -> None:
    assert one(body) == PLAN


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("@headgate plam", (Unknown("plam", "plan", addressed=True),)),
        ("@acme-bot lgtm", (Unknown("lgtm", "", addressed=True),)),
        ("@acme-bot apply", (Unknown("apply", "deploy", addressed=True),)),
        ("@acme-bot why is this so, and what can I do about it", (Unknown("why", "explain", addressed=True),)),
        ("headgate plam", (Unknown("plam", "plan", addressed=True),)),
        ("headgate is great", ()),
        ("headgate halp me understand what this is about", ()),
        ("headgate plan looks good to me", ()),
        ("headgate merge looks good", ()),
        ("headgate plan web-1 edge", (Command(Verb.PLAN, ("web-1", "edge")),)),
        ("headgate plan web", (Command(Verb.PLAN, ("web",)),)),
        ("headgate merge --now", (Malformed(Verb.MERGE, "there is no option `--now`."),)),
        ("headgate hold until monday", (Command(Verb.HOLD, reason="until monday"),)),
        ("headgate", ()),
        ("headgate  ", ()),
        ("headgates plan", ()),
        ("@headgate", ()),
        ("@headgate /", ()),
        ("@somebody plan", ()),
        ("@acme-botty plan", ()),
        ("thanks @acme-bot plan", ()),
    ],
)
def test_only_what_was_meant_for_us_is_answered(body: str, wanted: tuple[Parsed, ...]) -> None:
    assert said(body) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("/plan edge-prod `web`, edge-prod", Command(Verb.PLAN, ("edge-prod", "web"))),
        ("/plan --all", Command(Verb.PLAN, all=True)),
        ("/plan —all", Command(Verb.PLAN, all=True)),
        ("/plan live/*", Command(Verb.PLAN, ("live/*",))),
        ("/deploy", Command(Verb.DEPLOY)),
        ("/deploy db-prod --accept M3Q9", Command(Verb.DEPLOY, ("db-prod",), accept="m3q9")),
        ("/deploy --accept=m3q9 db-prod", Command(Verb.DEPLOY, ("db-prod",), accept="m3q9")),
        ("/deploy –accept   `m3q9`", Command(Verb.DEPLOY, accept="m3q9")),
        ("/merge", Command(Verb.MERGE)),
        ("/unlock", Command(Verb.UNLOCK)),
        ("/unlock --STATE", Command(Verb.UNLOCK, state=True)),
        ("/ok-to-plan 0A1B2C3", Command(Verb.OK_TO_PLAN, ("0a1b2c3",))),
        ("/explain please", Command(Verb.EXPLAIN)),
        ("/help", Command(Verb.HELP)),
        (f"/hold {'x' * 900}", Command(Verb.HOLD, reason="x" * MAX_REASON)),
        ("/hold a\x00b", Command(Verb.HOLD, reason="a b")),
    ],
)
def test_words_and_options_reach_their_place(body: str, wanted: Command) -> None:
    assert one(body) == wanted


@pytest.mark.parametrize(
    ("body", "verb", "why"),
    [
        ("/plan --al", Verb.PLAN, "there is no option `--al`. Did you mean `--all`?"),
        ("/plan --all web", Verb.PLAN, "say either `--all` or names of projects"),
        ("/plan <script>", Verb.PLAN, "`<script>` is not the name of a project"),
        ("/plan " + "x " * 60, Verb.PLAN, "at most 50 words can follow"),
        ("/deploy --accept", Verb.DEPLOY, "`--accept` wants the plan's identifier"),
        ("/deploy --accept m3", Verb.DEPLOY, "`--accept` wants the plan's identifier"),
        ("/merge now", Verb.MERGE, "no words follow this one"),
        ("/unlock web", Verb.UNLOCK, "no words follow this one"),
        ("/ok-to-plan", Verb.OK_TO_PLAN, "say which commit"),
        ("/ok-to-plan abc", Verb.OK_TO_PLAN, "say which commit"),
        ("/ok-to-plan main", Verb.OK_TO_PLAN, "say which commit"),
        ("/ok-to-plan 0a1b2c3 0a1b2c4", Verb.OK_TO_PLAN, "say which commit"),
    ],
)
def test_a_command_that_makes_no_sense_says_why(body: str, verb: Verb, why: str) -> None:
    found = one(body)

    assert isinstance(found, Malformed)
    assert found.verb is verb and found.why.startswith(why)


def test_a_comment_holds_a_bounded_number_of_commands() -> None:
    assert len(said("".join(f"/plan p{n}\n" for n in range(1000)))) == MAX_COMMANDS
    assert said("x" * 200_000 + "\n/plan") == ()


def test_the_same_thing_asked_twice_in_a_comment_is_answered_once_but_holds_keep_their_order() -> None:
    assert len(said("/explain\n/help\n@demo plam\n" * 10)) == 3
    assert [each.verb for each in said("/hold\n/unhold\n/hold") if isinstance(each, Command)] == [
        Verb.HOLD,
        Verb.UNHOLD,
        Verb.HOLD,
    ]


def test_every_verb_has_its_row_its_rule_and_its_word() -> None:
    assert [row.verb for row in HELP] == list(Verb)
    assert set(RULES) == set(Verb) == set(ALIASES.values())
    for row in HELP:
        assert row.usage.split()[0] == row.verb.value
        assert row.what and row.who


@given(st.text())
def test_no_text_raises(body: str) -> None:
    said(body)


PIECES = st.sampled_from(
    [
        "/",
        "@acme-bot",
        "headgate",
        " ",
        "\n",
        "\t",
        "plan",
        "deploy",
        "--accept",
        "=",
        "```",
        "~~~",
        "<!--",
        "-->",
        ">",
        "`",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_comment_raises_and_what_it_says_is_bounded(body: str) -> None:
    for found in said(body):
        assert isinstance(found, Command | Unknown | Malformed)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_quoted_text_says_nothing(body: str) -> None:
    assert said("\n".join("> " + line for line in body.split("\n"))) == ()


@pytest.mark.parametrize(
    "body", ["`" * 99_000, "<!--" * 25_000, "@a" * 50_000, "/plan " + "a " * 49_000, "- " * 50_000]
)
def test_no_comment_takes_long(body: str) -> None:
    before = time.process_time()
    said(body)

    assert time.process_time() - before < 1.0


def test_a_reason_that_is_cut_ends_in_no_blank() -> None:
    [found] = parse("/hold " + "a" * (MAX_REASON - 1) + " b", bot_names=())
    assert isinstance(found, Command)
    assert found.reason == "a" * (MAX_REASON - 1)
