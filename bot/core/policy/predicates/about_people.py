"""Predicates about who made a change and who signed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from bot.core.policy.facts import CommitFact, Facts
from bot.core.policy.model import Actors, Outcome, Scope, Test
from bot.core.policy.people import among, described, unlisted
from bot.core.policy.predicates.predicate import Predicate, some_of, told, untold
from bot.core.policy.shapes import ACTORS, FLAG, TEXTS, Refuse, actors, folded

CUT: Final = "the host cut its list of commits off, so nobody knows all who contributed"


def _hands(facts: Facts) -> tuple[frozenset[str], Outcome | None]:
    """Everybody who contributed; or why nobody can say."""
    if facts.commits is None:
        return frozenset(), untold(CUT)
    if facts.unknown_hands:
        return frozenset(), untold(f"the host does not say {', nor '.join(facts.unknown_hands)}")
    return facts.contributors(), None


def _unlisted(facts: Facts, wanted: Actors) -> Outcome:
    return untold(f"who is in {some_of(unlisted(facts.people, wanted))} could not be read")


def _author(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    wanted = actors(raw)

    def test(scope: Scope) -> Outcome:
        facts = scope.facts
        found = among(facts.people, facts.author, wanted)
        if found is None:
            return _unlisted(facts, wanted)
        who = ", ".join(described(wanted))
        return told(found, f"{facts.author}, who wrote it, is {'' if found else 'not '}one of {who}")

    return test


def _contributors(join: Callable[[Iterable[bool]], bool]) -> Callable[[Any, Refuse], Test]:
    def read(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
        wanted = actors(raw)

        def test(scope: Scope) -> Outcome:
            hands, unsaid = _hands(scope.facts)
            if unsaid is not None:
                return unsaid
            found = {who: among(scope.facts.people, who, wanted) for who in sorted(hands)}
            if None in found.values():
                return _unlisted(scope.facts, wanted)
            inside = [who for who, is_one in found.items() if is_one]
            outside = [who for who, is_one in found.items() if not is_one]
            said = [f"{some_of(inside)} of those who contributed are among {', '.join(described(wanted))}"]
            said += [f"{some_of(outside)} are not"] if outside else []
            return told(join(map(bool, found.values())), ", ".join(said if inside else said[1:]))

        return test

    return read


def _only_author(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    def test(scope: Scope) -> Outcome:
        hands, unsaid = _hands(scope.facts)
        if unsaid is not None:
            return unsaid
        others = sorted(hands - {scope.facts.author.lower()})
        text = f"{some_of(others)} contributed, too" if others else f"{scope.facts.author} alone wrote it"
        return told((not others) is raw, text)

    return test


def _signed(look: Callable[[Any], Callable[[Facts, CommitFact], bool | None]], what: str) -> Callable[..., Test]:
    """Reads a predicate that every commit's signature must meet."""

    def read(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
        wanted = raw if isinstance(raw, bool) else True
        meets = look(raw)

        def test(scope: Scope) -> Outcome:
            commits = scope.facts.commits
            if commits is None:
                return untold(CUT)
            found = [(each, meets(scope.facts, each)) for each in commits]
            unsaid = [each.sha[:7] for each, held in found if held is None]
            if unsaid:
                return untold(f"the host does not say how {some_of(unsaid)} is signed")
            bad = [each.sha[:7] for each, held in found if not held]
            whole = bool(commits) and not bad
            text = f"{some_of(bad)} is not {what}" if bad else f"every commit is {what}"
            return told(whole is wanted, text)

        return test

    return read


def _valid(_: Any) -> Callable[[Facts, CommitFact], bool | None]:
    return lambda _facts, commit: None if commit.signature is None else commit.signature.valid


def _by(raw: Any) -> Callable[[Facts, CommitFact], bool | None]:
    wanted = actors(raw)

    def held(facts: Facts, commit: CommitFact) -> bool | None:
        signature = commit.signature
        if signature is None or not signature.valid or not signature.by:
            return None if signature is None else False
        return among(facts.people, signature.by, wanted)

    return held


def _with(raw: Any) -> Callable[[Facts, CommitFact], bool | None]:
    keys = folded(raw)

    def held(_: Facts, commit: CommitFact) -> bool | None:
        signature = commit.signature
        return None if signature is None else signature.valid and signature.key.lower() in keys

    return held


PREDICATES: Final = (
    Predicate("author", "who opened the change is one of these", ACTORS, _author),
    Predicate(
        "any_contributor", "one of the author, commit authors, committers and pushers is", ACTORS, _contributors(any)
    ),
    Predicate("all_contributors", "each of them is", ACTORS, _contributors(all)),
    Predicate("only_author_contributed", "nobody else's work is in it (`false`: somebody's is)", FLAG, _only_author),
    Predicate("signed", "every commit has a valid signature (`false`: one has not)", FLAG, _signed(_valid, "signed")),
    Predicate("signed_by", "every commit is validly signed by one of these", ACTORS, _signed(_by, "signed by them")),
    Predicate(
        "signed_with", "every commit is validly signed with one of these keys", TEXTS, _signed(_with, "signed so")
    ),
)
