"""Cases of a policy as data: facts and what they must come to. The same runner tries an operator's and ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.core.config.document import Document, load
from bot.core.config.schema import checked, ordered
from bot.core.effectset import ABSENT, UNKNOWN, Action, EffectSet, Leaf, ResourceEffect, Value, effect_set
from bot.core.errors import Problem
from bot.core.model import CheckState, HostCheck, Permission, ReviewState
from bot.core.policy.case_schema import schema
from bot.core.policy.evaluate import judge_policy
from bot.core.policy.facts import (
    CommitFact,
    Facts,
    FileFact,
    FileStatus,
    People,
    ProjectFact,
    Saying,
    Signature,
    Word,
)
from bot.core.policy.model import Policy
from bot.core.policy.owners import parse_owners
from bot.core.verdict import Reason, Status

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a case begins: numbers are seconds after it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``reasons`` are pieces of text that the tree must hold; ``counted`` who approved, where it is said.

    ``rule`` looks at one rule's (or plan rule's) verdict in place of the whole policy's.
    """

    name: str
    facts: Facts
    expect: Status
    rule: str = ""
    reasons: tuple[str, ...] = ()
    counted: tuple[str, ...] | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A case that came to something else: what was wanted, what came, and the tree it came with."""

    case: Case
    wanted: str
    came: str
    tree: Reason


def parse_cases(text: str | bytes, file: str) -> tuple[Case, ...] | tuple[Problem, ...]:
    """The cases of a file, or everything that is wrong with it. An empty one has no cases."""
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw, problems = checked(document, schema())
    common = raw.get("facts", {})
    cases = []
    for number, each in enumerate(raw.get("cases", ())):
        try:
            cases.append(_case(each, common, document.line(("cases", number))))
        except (ValueError, OverflowError) as error:
            problems.append(document.problem(("cases", number), str(error)))
    return ordered(problems) if problems else tuple(cases)


def run_cases(policy: Policy, cases: tuple[Case, ...]) -> Iterator[Failed]:
    """Those that come to something else than they should."""
    for case in cases:
        tree = judge_policy(policy, case.facts)
        looked_at = _looked_at(tree, case.rule)
        if looked_at is None:
            yield Failed(case, f"a rule {case.rule}", "none of that name was looked at", tree)
            continue
        if looked_at.status is not case.expect:
            yield Failed(case, case.expect.name.lower(), looked_at.status.name.lower(), tree)
            continue
        said = "\n".join(_texts(tree))
        missing = [each for each in case.reasons if each not in said]
        if missing:
            yield Failed(case, f"a reason with “{missing[0]}”", "no such reason", tree)
        counted = tuple(sorted({who.lower() for who in _counted(looked_at)}))
        if case.counted is not None and counted != case.counted:
            yield Failed(case, f"approved by {', '.join(case.counted)}", f"by {', '.join(counted)}", tree)


def _looked_at(tree: Reason, rule: str) -> Reason | None:
    if not rule:
        return tree
    return _named(tree, f"policy.{rule}") or _named(tree, f"plan-rule.{rule}")


def _named(tree: Reason, rule: str) -> Reason | None:
    if tree.rule == rule:
        return tree
    return next((found for child in tree.children if (found := _named(child, rule)) is not None), None)


def _counted(tree: Reason) -> Iterator[str]:
    yield from tree.counted
    for child in tree.children:
        yield from _counted(child)


def _texts(tree: Reason) -> Iterator[str]:
    yield tree.text
    yield from (f"{name}: {value}" for name, value in tree.values)
    yield from (f"{who}: {why}" for who, why in tree.ignored)
    for child in tree.children:
        yield from _texts(child)


def _case(raw: Mapping[str, Any], common: Mapping[str, Any], line: int) -> Case:
    counted = raw.get("counted")
    return Case(
        name=raw["name"],
        facts=facts_of({**common, **raw.get("facts", {})}),
        expect=Status[raw["expect"].upper()],
        rule=raw.get("rule", ""),
        reasons=tuple(raw.get("reasons", ())),
        counted=None if counted is None else tuple(sorted(who.lower() for who in counted)),
        line=line,
    )


def facts_of(raw: Mapping[str, Any]) -> Facts:
    """Facts as a case writes them; whatever it leaves out is empty. Raises ValueError for a time that is none."""
    text = raw.get("code_owners")
    return Facts(
        now=_at(raw.get("now", 3600)),
        repository=raw.get("repository", "acme/infra"),
        author=raw.get("author", "dee"),
        author_is_bot=raw.get("author_is_bot", False),
        title=raw.get("title", ""),
        target_branch=raw.get("target_branch", "main"),
        source_branch=raw.get("source_branch", "work"),
        head=raw.get("head", ""),
        draft=raw.get("draft", False),
        labels=tuple(raw.get("labels", ())),
        files=_listed(raw, "files", _file),
        commits=_listed(raw, "commits", _commit),
        words=tuple(_words(raw)),
        checks=tuple(HostCheck(name, CheckState(state)) for name, state in raw.get("checks", {}).items()),
        workflows={path: tuple(found) for path, found in raw.get("workflows", {}).items()},
        people=People(
            teams=_groups(raw.get("teams", {})),
            organisations=_groups(raw.get("organisations", {})),
            permissions={who.lower(): Permission[held.upper()] for who, held in raw.get("permissions", {}).items()},
        ),
        projects=tuple(_project(each) for each in raw.get("projects", ())),
        owners=parse_owners(text) if text is not None else None,
        properties=_properties(raw["properties"]) if "properties" in raw else None,
        topics=tuple(raw["topics"]) if "topics" in raw else None,
        unknown_hands=tuple(raw.get("unknown_hands", ())),
    )


def _properties(raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in raw.items()}


def _at(value: float | str) -> datetime:
    """Seconds after the beginning, or a moment; without a zone it is in UTC."""
    if not isinstance(value, str):
        return BEGINNING + timedelta(seconds=value)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(raw: Mapping[str, Any], name: str) -> datetime | None:
    return _at(raw[name]) if name in raw else None


def _listed(raw: Mapping[str, Any], name: str, read: Any) -> Any:
    """A list; ``cut`` in its place for one that the host cut off."""
    return None if raw.get(name) == "cut" else tuple(read(each) for each in raw.get(name, ()))


def _file(raw: str | Mapping[str, Any]) -> FileFact:
    if isinstance(raw, str):
        return FileFact(raw)
    return FileFact(raw["path"], FileStatus(raw.get("status", "changed")), raw.get("added", 0), raw.get("deleted", 0))


def _commit(raw: Mapping[str, Any]) -> CommitFact:
    signature = raw.get("signature")
    return CommitFact(
        sha=raw["sha"],
        parents=tuple(raw.get("parents", ())),
        author=raw.get("author", "dee"),
        committer=raw.get("committer", raw.get("author", "dee")),
        via_web=raw.get("via_web", False),
        message=raw.get("message", ""),
        pushed_at=_moment(raw, "pushed_at"),
        pushed_by=raw.get("pushed_by", ""),
        asked_by=tuple(raw.get("asked_by", ())),
        signature=Signature(signature["valid"], signature.get("by", ""), signature.get("key", ""))
        if signature
        else None,
    )


def _words(raw: Mapping[str, Any]) -> Iterator[Word]:
    for number, each in enumerate(raw.get("reviews", ())):
        yield _word(f"review-{number:03}", Saying.REVIEW, each, ReviewState(each.get("state", "approved")))
    for number, each in enumerate(raw.get("comments", ())):
        yield _word(f"comment-{number:03}", Saying.COMMENT, each, None)
    if "description" in raw:
        yield _word("description", Saying.DESCRIPTION, raw["description"], None)


def _word(name: str, kind: Saying, raw: Mapping[str, Any], state: ReviewState | None) -> Word:
    return Word(
        id=name,
        kind=kind,
        author=raw["by"],
        at=_at(raw.get("at", 60)),
        text=raw.get("text", ""),
        state=state,
        edited_at=_moment(raw, "edited_at"),
        head=raw.get("head", ""),
        by_bot=raw.get("by_bot", False),
        uncovered=raw.get("uncovered", {}),
    )


def _groups(raw: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {name.lower(): frozenset(who.lower() for who in members) for name, members in raw.items()}


def _project(raw: Mapping[str, Any]) -> ProjectFact:
    return ProjectFact(
        name=raw["name"],
        environments=tuple(raw.get("environments", ("prod",))),
        tool=raw.get("tool", "terraform"),
        effects=plan_of(raw["plan"]) if "plan" in raw else None,
        drifted=raw.get("drifted"),
    )


def plan_of(raw: Mapping[str, Any]) -> EffectSet:
    """What a plan would do, as a case writes it."""
    return effect_set((_resource(each) for each in raw.get("resources", ())), (), raw.get("unpredictable", 0))


def _resource(raw: Mapping[str, Any]) -> ResourceEffect:
    before, after = raw.get("before", {}), raw.get("after", {})
    known = {path: Leaf(path, _value(before, path), _value(after, path)) for path in (*before, *after)}
    later = {path: Leaf(path, _value(before, path), UNKNOWN) for path in raw.get("unknown", ())}
    return ResourceEffect(
        address=raw["address"],
        action=Action(raw.get("action", "update")),
        type=raw.get("type", raw["address"].rpartition(".")[0].rpartition(".")[2]),
        leaves=tuple({**known, **later}.values()),
    )


def _value(side: Mapping[str, Any], path: str) -> Value:
    return Value.known(side[path]) if path in side else ABSENT
