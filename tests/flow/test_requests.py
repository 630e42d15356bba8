"""What comments ask for, remembered: however much somebody talks, a hold stands and strangers cost little."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.decide.publishing import GATE, PLAN
from bot.core.gate import standing_holds
from bot.core.model import Change, ChangeRef, ChangeState, Comment, HostFacts, Permission, RepoRef
from bot.core.record import CheckConclusion, CheckShown, Judgement, Memory, Published, Request, Verb
from bot.flow.requests import KEPT, KEPT_OF_OTHERS, MOST_OF_ALL_OTHERS, MOST_OF_OTHERS, absorb_asked, absorb_comments

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
REPO = RepoRef("github", "acme/infra")
PEOPLE = {"dee": Permission.WRITE, "bo": Permission.WRITE, "eve": Permission.READ}


def facts(*said: tuple[str, str], first: int = 1, at: datetime = NOW) -> HostFacts:
    change = Change(ChangeRef(REPO, 1), "t", "dee", ChangeState.OPEN, "a" * 40, "x", REPO, "main", "b" * 40, NOW, NOW)
    comments = tuple(Comment(str(number), who, text, at) for number, (who, text) in enumerate(said, first))
    return HostFacts(change, comments=comments, permissions=PEOPLE)


def absorbed(memory: Memory, host: HostFacts) -> Memory:
    return absorb_comments(replace(memory, host=host), "headgate", "bot", NOW)


def judged(memory: Memory) -> Memory:
    """Everything granted or refused on the permission its author has."""

    def one(request: Request) -> Request:
        permission = PEOPLE.get(request.author, Permission.NONE)
        fate = Judgement.DONE if permission >= Permission.WRITE else Judgement.REFUSED
        return replace(request, judgement=fate, permission=permission)

    return replace(memory, requests=tuple(map(one, memory.requests)))


def flood(who: str, comments: int) -> list[tuple[str, str]]:
    return [(who, "\n".join(f"/plan p{at}-{line}" for line in range(20))) for at in range(comments)]


def test_nobody_talks_so_much_that_a_hold_is_forgotten() -> None:
    for who in ("eve", "dee"):
        memory = judged(absorbed(Memory(), facts(("bo", "/hold wait"), ("bo", "/hold again"))))
        memory = judged(absorbed(memory, facts(*flood(who, 40), first=10)))
        assert {hold.author for hold in standing_holds(memory.requests)} == {"bo"}, who
        assert len(memory.requests) <= KEPT + KEPT_OF_OTHERS + 1


def test_a_hold_that_came_with_the_flood_is_judged_too() -> None:
    memory = judged(absorbed(Memory(), facts(("bo", "/hold wait"), *flood("dee", 40))))
    assert len(standing_holds(memory.requests)) == 1


def test_a_hold_of_somebody_without_permission_is_as_forgettable_as_their_other_words() -> None:
    memory = judged(absorbed(Memory(), facts(("eve", "/hold mine"))))
    for batch in range(1, 10):
        later = NOW + timedelta(hours=2 * batch)
        memory = judged(absorbed(memory, facts(*flood("eve", 1), first=100 * batch, at=later)))
    assert not any(request.command and request.command.verb is Verb.HOLD for request in memory.requests)
    assert len(memory.requests) <= KEPT_OF_OTHERS


def test_a_released_hold_does_not_come_back() -> None:
    memory = judged(absorbed(Memory(), facts(("bo", "/hold wait"), ("bo", "/unhold"))))
    memory = judged(absorbed(memory, facts(*flood("dee", 40), first=10)))
    assert standing_holds(memory.requests) == ()


def test_strangers_have_a_share_of_each_hour_and_writers_have_none_to_mind() -> None:
    memory = absorbed(Memory(), facts(*flood("eve", 3), *[("dee", f"/plan q{number}") for number in range(50)]))
    authors = [request.author for request in memory.requests]
    assert authors.count("eve") == MOST_OF_OTHERS
    assert authors.count("dee") == 50

    crowd = facts(*[line for number in range(9) for line in flood(f"s{number}", 1)])
    assert len(absorbed(Memory(), crowd).requests) == MOST_OF_ALL_OTHERS
    later = facts(*flood("eve", 1), first=1000, at=NOW + timedelta(hours=2))
    assert len(absorbed(memory, later).requests) == 50 + 2 * MOST_OF_OTHERS


def test_what_the_host_asks_for_is_told_again_once_whatever_it_was_told_before() -> None:
    checks = tuple(CheckShown(name, "a" * 40, CheckConclusion.SUCCESS, "said") for name in (GATE, PLAN))
    told = Memory(host=facts(), published=Published(checks=checks))
    assert absorb_asked(told, None) is told
    asked = absorb_asked(told, "delivery-1")
    assert [check.name for check in asked.published.checks] == [PLAN]
    answered = replace(asked, published=told.published)
    assert absorb_asked(answered, "delivery-1") is answered
    assert absorb_asked(answered, "delivery-2").published == asked.published
