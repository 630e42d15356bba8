"""Laws of policies, whatever is written in them and whatever people do."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from core.policy import strategies as some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.model import HostCheck, ReviewState
from bot.core.policy.cases import BEGINNING, facts_of
from bot.core.policy.compose import in_force
from bot.core.policy.evaluate import judge_policy
from bot.core.policy.facts import CommitFact, Facts, FileFact, FileStatus, Found, People, Saying, Word
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.core.verdict import Reason, Status

EXAMPLES = 25
LAW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
OPEN = (Status.APPROVED, Status.SKIPPED)
LATER = 1000


def read(raw: Any, file: str = "policy.yaml") -> Policy:
    found = parse_policy(yaml.safe_dump(raw), file)
    assert isinstance(found, Policy), (found, raw)
    return found


def facts(raw: Any) -> Facts:
    """The change; plan rules found something in each project's plan."""
    made = facts_of(raw)
    found = tuple(Found("stateful", each.name, "a.b", "delete", policy="policy.yaml") for each in made.projects)
    return replace(made, found=found)


def judged(policy: Any, change: Any) -> Reason:
    return judge_policy(read(policy), facts(change))


def is_open(policy: Any, change: Any) -> bool:
    return judged(policy, change).status in OPEN


def outline(tree: Reason) -> Any:
    """What a tree comes to, without its words and without the order of what stands side by side."""
    children = sorted((outline(child) for child in tree.children), key=repr)
    return tree.rule, tree.status, sorted(who.lower() for who in tree.counted), children


def without_numbers(tree: Any) -> Any:
    """Groups are named by their place, which another order changes."""
    rule, status, counted, children = tree
    plain = "group" if rule.startswith("policy:") else rule
    return plain, status, counted, sorted(map(without_numbers, children), key=repr)


@LAW
@given(some.policy, some.change, some.login, st.sampled_from(("review", "comment")))
def test_an_approval_by_anybody_of_what_is_there_now_never_closes_a_gate(
    policy: Any, change: Any, who: str, way: str
) -> None:
    word = {"by": who, "at": LATER, "head": change["head"], "text": "LGTM"}
    said = {**change, f"{way}s": [*change[f"{way}s"], word]}
    assert is_open(policy, said) or not is_open(policy, change)


@LAW
@given(some.policy, some.change, some.approving, st.sampled_from(("review", "comment")))
def test_removing_an_approval_of_any_kind_and_time_never_opens_a_gate(
    policy: Any, change: Any, word: Any, way: str
) -> None:
    """Nor does it where the approval itself is worth nothing: edited, of an older commit, of other effects."""
    said = {**change, f"{way}s": [*change[f"{way}s"], {**word, "text": "LGTM, tested"}]}
    assert is_open(policy, said) or not is_open(policy, change)


@LAW
@given(some.policy, some.change, st.one_of(some.review, some.comment), st.booleans())
def test_what_a_stranger_says_changes_nothing(policy: Any, change: Any, word: Any, by_review: bool) -> None:
    way = "reviews" if "state" in word else "comments"
    said = {**change, way: [*change[way], {**word, "by": some.STRANGER}]}
    assert outline(judged(policy, said)) == outline(judged(policy, change))


@LAW
@given(some.policy, some.change, some.approving, some.login)
def test_what_a_bot_approves_opens_nothing(policy: Any, change: Any, word: Any, who: str) -> None:
    for way in ("reviews", "comments"):
        bots = {**word, "by": "robot[bot]", "text": "LGTM :+1:", "by_bot": True}
        rights = {**change, "permissions": {**change["permissions"], "robot[bot]": "admin"}}
        said = {**rights, way: [*change[way], bots]}
        assert outline(judged(policy, said)) == outline(judged(policy, rights))


@LAW
@given(some.policy, some.change, some.approving)
def test_what_the_author_or_a_contributor_approves_opens_nothing_unless_a_rule_says_so(
    policy: Any, change: Any, word: Any
) -> None:
    plain = copy.deepcopy(policy)
    for each in plain["rules"]:
        each["options"] = {**each.get("options", {}), "author": False, "contributors": False}
        each["options"].pop("ignore_commits_by", None)
        each["options"].pop("ignore_update_merges", None)
    author = change.get("author", "dee")
    for who in {author, *(each["author"] for each in change["commits"])}:
        for way in ("reviews", "comments"):
            said = {**change, way: [*change[way], {**word, "by": who.upper(), "text": "LGTM :+1:", "at": LATER}]}
            assert is_open(plain, change) or not is_open(plain, said)


@LAW
@given(some.policy, some.change, st.randoms(use_true_random=False))
def test_the_order_of_rules_files_words_and_commits_does_not_matter(policy: Any, change: Any, chance: Any) -> None:
    other, moved = copy.deepcopy(policy), replace(facts(change))
    chance.shuffle(other["rules"])

    def shuffled(found: Any) -> Any:
        return tuple(chance.sample(found, len(found)))

    moved = replace(
        moved,
        files=shuffled(moved.files),
        words=shuffled(moved.words),
        commits=shuffled(moved.commits),
        labels=shuffled(moved.labels),
        projects=shuffled(moved.projects),
        found=shuffled(moved.found),
    )
    found = judge_policy(read(other), moved)
    assert without_numbers(outline(found)) == without_numbers(outline(judged(policy, change)))


def loud(change: Any) -> Any:
    """The same change, with every name in capitals."""
    found = copy.deepcopy(change)
    found["author"] = found.get("author", "dee").upper()
    for each in (*found["reviews"], *found["comments"], *([found["description"]] if "description" in found else ())):
        each["by"] = each["by"].upper()
    for each in found["commits"]:
        each.update({key: each[key].upper() for key in ("author", "committer", "pushed_by") if key in each})
        each["asked_by"] = [who.upper() for who in each.get("asked_by", ())]
        if "by" in each.get("signature", {}):
            each["signature"]["by"] = each["signature"]["by"].upper()
    found["labels"] = [label.upper() for label in found.get("labels", ())]
    for key in ("teams", "organisations"):
        found[key] = {name.upper(): [who.upper() for who in members] for name, members in found[key].items()}
    return {**found, "permissions": {who.upper(): held for who, held in found["permissions"].items()}}


@LAW
@given(some.policy, some.change)
def test_the_case_of_names_does_not_matter(policy: Any, change: Any) -> None:
    assert outline(judged(policy, loud(change))) == outline(judged(policy, change))


@LAW
@given(some.policy, st.lists(some.policy, max_size=2), some.change, st.lists(st.booleans(), min_size=3, max_size=3))
def test_nothing_that_a_repository_writes_loosens_a_locked_rule(
    operator: Any, own: list[Any], change: Any, locked: list[bool]
) -> None:
    """Each locked rule comes to what it came to; where all are, so does the file; and a repository opens nothing."""
    for each, is_locked in zip(operator["rules"], locked, strict=False):
        each["locked"] = is_locked
    alone, made = read(operator), facts(change)
    theirs = [read(each, f".headgate/policies/{number}.yaml") for number, each in enumerate(own)]
    first, *rest = in_force([alone], theirs)
    assert rest == theirs
    before, after = rules_of(judge_policy(alone, made)), rules_of(judge_policy(first, made))
    for rule in alone.rules:
        if rule.locked:
            assert before[f"policy.{rule.name}"] == after[f"policy.{rule.name}"]
    if all(rule.locked for rule in alone.rules):
        assert first == alone


def rules_of(tree: Reason) -> dict[str, Reason]:
    found = {tree.rule: tree}
    for child in tree.children:
        found |= rules_of(child)
    return found


EACH = [
    read({"version": 1, "rules": [{"name": "r", "if": {name: value}, "require": {"conditions": {name: value}}}]})
    for name, value in {row[0]: row[1] for row in some.ROWS}.items()
]


class CalledOutError(AssertionError):
    """Evaluating a policy opened a file, a connection, a process, or ran code that was not there before."""


_watching: list[bool] = []
CALLS = ("open", "socket.", "subprocess.", "os.", "import", "exec", "compile", "ctypes.", "urllib.", "shutil.")


def _hear(event: str, _: Any) -> None:
    if _watching and event.startswith(CALLS):
        raise CalledOutError(event)


@pytest.fixture(scope="module", autouse=True)
def heard() -> None:
    """An audit hook hears of everything that Python asks of the machine; it cannot be taken away again."""
    sys.addaudithook(_hear)


@contextmanager
def nothing_called() -> Iterator[None]:
    _watching.append(True)
    try:
        yield
    finally:
        _watching.clear()


def test_who_calls_out_is_heard() -> None:
    with pytest.raises(CalledOutError), nothing_called():
        open(__file__)  # noqa: SIM115, PTH123 - it must not succeed


text = st.text(st.characters(exclude_categories=()), max_size=12)
login = st.one_of(st.sampled_from(some.PEOPLE), text)
at = st.integers(-100, 100).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))
hostile_word = st.builds(
    Word, id=text, kind=st.sampled_from(Saying), author=login, at=at, text=text,
    state=st.none() | st.sampled_from(ReviewState), edited_at=st.none() | at, head=text | st.just("h"),
    by_bot=st.booleans(), uncovered=st.dictionaries(st.just("db") | text, text, max_size=1),
)  # fmt: skip
hostile_commit = st.builds(
    CommitFact, sha=text | st.just("h"), parents=st.lists(text | st.just("h"), max_size=3).map(tuple), author=login,
    committer=login, via_web=st.booleans(), message=text, pushed_at=st.none() | at, pushed_by=login,
)  # fmt: skip
hostile_file = st.builds(FileFact, path=text, status=st.sampled_from(FileStatus))
hostile = st.fixed_dictionaries(
    {},
    optional={
        "author": login, "title": text, "target_branch": text, "source_branch": text, "repository": text,
        "head": text, "bot": login, "labels": st.lists(text, max_size=3).map(tuple),
        "files": st.none() | st.lists(hostile_file, max_size=3).map(tuple),
        "commits": st.none() | st.lists(hostile_commit, max_size=3).map(tuple),
        "words": st.lists(hostile_word, max_size=4).map(tuple),
        "checks": st.lists(st.builds(HostCheck, name=text), max_size=2).map(tuple),
        "workflows": st.dictionaries(text, st.lists(text).map(tuple), max_size=2),
        "people": st.just(People()), "projects": st.just(()), "topics": st.lists(text).map(tuple),
        "properties": st.dictionaries(text, st.lists(text).map(tuple), max_size=2),
    },
)  # fmt: skip


@LAW
@given(some.policy, some.change, hostile)
def test_evaluating_never_raises_and_never_calls_out(policy: Any, change: Any, odd: Any) -> None:
    rules, made = read(policy), replace(facts(change), **odd)
    with nothing_called():
        assert judge_policy(rules, made).status in Status


@settings(LAW, max_examples=10)
@given(some.change, hostile)
def test_no_predicate_raises_or_calls_out(change: Any, odd: Any) -> None:
    made = replace(facts(change), **odd)
    with nothing_called():
        for rules in EACH:
            assert judge_policy(rules, made).status in Status
