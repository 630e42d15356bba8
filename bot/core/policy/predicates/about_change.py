"""Predicates about the change itself and its repository: branches, labels, title, commits, properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bot.core.face.words import plural
from bot.core.policy.facts import Facts
from bot.core.policy.model import Outcome, Scope, Test
from bot.core.policy.predicates.about_people import CUT
from bot.core.policy.predicates.predicate import Predicate, some_of, told, untold
from bot.core.policy.shapes import (
    COMPARED,
    FLAG,
    MATCHING,
    TEXTS,
    Refuse,
    compared,
    folded,
    mapping,
    names,
    proses,
    texts,
)


def _branch(what: str, of: Callable[[Facts], str]) -> Callable[[Any, Refuse], Test]:
    def read(raw: Any, refuse: Refuse) -> Test:
        wanted = names(raw, refuse)

        def test(scope: Scope) -> Outcome:
            name = of(scope.facts)
            holds = any(each.matches(name) for each in wanted)
            patterns = some_of(each.pattern for each in wanted)
            return told(holds, f"the {what} `{name}` {'fits' if holds else 'does not fit'} {patterns}")

        return test

    return read


def _labels(join: Callable[..., bool]) -> Callable[[Any, Refuse], Test]:
    def read(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
        wanted = sorted(folded(raw))

        def test(scope: Scope) -> Outcome:
            have = {label.lower() for label in scope.facts.labels}
            missing = [label for label in wanted if label not in have]
            holds = join(label in have for label in wanted)
            text = f"has {some_of(sorted(set(wanted) & have))}" if holds else f"has not {some_of(missing)}"
            return told(holds, text)

        return test

    return read


def _matching(what: str, of: Callable[[Facts], str], *, prose: bool) -> Callable[[Any, Refuse], Test]:
    """Reads ``{matches, not_matches}``: one of the first fits, or none of the second does."""

    def read(raw: Any, refuse: Refuse) -> Test:
        reader = proses if prose else names
        good = reader(raw.get("matches", ()), refuse, ("matches",))
        bad = reader(raw.get("not_matches", ()), refuse, ("not_matches",))

        def test(scope: Scope) -> Outcome:
            text = of(scope.facts)
            hit = any(each.matches(text) for each in good)
            clear = bool(bad) and not any(each.matches(text) for each in bad)
            said = [f"fits {some_of(each.pattern for each in good)}"] if good else []
            said += [f"fits none of {some_of(each.pattern for each in bad)}"] if bad else []
            holds = hit or clear
            return told(holds, f"the {what} {'' if holds else 'neither '}{' or '.join(said)}")

        return test

    return read


def _commit_count(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    wanted = compared(raw)

    def test(scope: Scope) -> Outcome:
        commits = scope.facts.commits
        if commits is None:
            return untold(CUT)
        return told(wanted.holds(len(commits)), f"has {plural(len(commits), 'commit')} ({wanted})")

    return test


PARTS: Final = ("title", "body", "all")


def _part(message: str, part: str) -> str:
    title, _, body = message.partition("\n")
    return title if part == "title" else body.strip() if part == "body" else message


def _messages(raw: Any, refuse: Refuse) -> Test:
    good = proses(raw.get("matches", ()), refuse, ("matches",))
    bad = proses(raw.get("not_matches", ()), refuse, ("not_matches",))
    part, every = raw.get("part", "all"), raw.get("of", "every") == "every"

    def fits(message: str) -> bool:
        text = _part(message, part)
        hit = any(each.matches(text) for each in good)
        return hit or (bool(bad) and not any(each.matches(text) for each in bad))

    def test(scope: Scope) -> Outcome:
        commits = scope.facts.commits
        if commits is None:
            return untold(CUT)
        off = [each.sha[:7] for each in commits if not fits(each.message)]
        if every:
            holds = bool(commits) and not off
            return told(
                holds, "every commit's message fits" if holds else f"the message of {some_of(off)} does not fit"
            )
        holds = len(off) < len(commits)
        return told(holds, f"a commit's message {'fits' if holds else 'never fits'}")

    return test


def _draft(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    return lambda scope: told(
        scope.facts.draft is raw, "it is a draft" if scope.facts.draft else "it is ready for review"
    )


PROPERTY: Final = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": mapping({"is_set": FLAG, "any_of": TEXTS, "none_of": TEXTS}),
}


def _properties(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    def test(scope: Scope) -> Outcome:
        properties = scope.facts.properties
        if properties is None:
            return untold("the host does not tell the repository's properties")
        off = [name for name, wanted in raw.items() if not _property_holds(properties.get(name, ()), wanted)]
        names_ = some_of(off or raw)
        return told(not off, f"the repository's {names_} {'is not as wanted' if off else 'is as wanted'}")

    return test


def _property_holds(values: tuple[str, ...], wanted: Any) -> bool:
    have = set(values)
    return (
        ("is_set" not in wanted or bool(have) is wanted["is_set"])
        and ("any_of" not in wanted or bool(have & set(texts(wanted["any_of"]))))
        and ("none_of" not in wanted or not have & set(texts(wanted["none_of"])))
    )


def _topics(raw: Any, refuse: Refuse) -> Test:  # noqa: ARG001 - every reader has this shape
    wanted = sorted(folded(raw))

    def test(scope: Scope) -> Outcome:
        topics = scope.facts.topics
        if topics is None:
            return untold("the host does not tell the repository's topics")
        missing = [each for each in wanted if each not in {topic.lower() for topic in topics}]
        return told(not missing, f"the repository has {'not ' if missing else ''}{some_of(missing or wanted)}")

    return test


PREDICATES: Final = (
    Predicate(
        "target_branch",
        "the branch it goes to fits one of these",
        TEXTS,
        _branch("target branch", lambda facts: facts.target_branch),
    ),
    Predicate(
        "source_branch",
        "the branch it comes from does; a fork's is written `owner:branch`",
        TEXTS,
        _branch("source branch", lambda facts: facts.source_branch),
    ),
    Predicate("labels", "it has all of these", TEXTS, _labels(all), mutable=True),
    Predicate("any_label", "it has one of these", TEXTS, _labels(any), mutable=True),
    Predicate(
        "title",
        "the title fits one of `matches`, or none of `not_matches`",
        MATCHING,
        _matching("title", lambda facts: facts.title, prose=True),
        mutable=True,
    ),
    Predicate("draft", "it is a draft, or is not", FLAG, _draft, mutable=True),
    Predicate("commit_count", "it has so many commits", COMPARED, _commit_count),
    Predicate(
        "commit_messages",
        "the messages `of` `every` commit, or of `any`, fit one of `matches` or none of `not_matches`; the `part` is "
        "`title`, `body` or `all`",
        mapping(
            {"matches": TEXTS, "not_matches": TEXTS, "of": {"enum": ["every", "any"]}, "part": {"enum": list(PARTS)}}
        ),
        _messages,
    ),
    Predicate(
        "repository",
        "the repository's name fits one of `matches`, or none of `not_matches`",
        MATCHING,
        _matching("repository", lambda facts: facts.repository, prose=False),
    ),
    Predicate("custom_properties", "each of these properties of the repository is so", PROPERTY, _properties),
    Predicate("topics", "the repository has all of these topics", TEXTS, _topics),
)
