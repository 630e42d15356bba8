"""What every Git host keeps to, whatever it is called. A new host is one more line in ``stages.STAGES``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contracts.stages import ALIASES, STAGES, Stage

from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, HostUnclear, Renamed, SignatureError
from bot.core.events import BranchMoved, ChangeTouched, Delivery
from bot.core.model import ChangeRef, ChangeState, Home, Permission, ReviewState
from bot.core.record import CheckConclusion
from bot.hosts import HOSTS
from bot.ports import CheckToSet, MergeOutcome

MARKED = "<!-- headgate:main:page:1 -->\n"


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with STAGES[request.param](request, tmp_path) as made:
        yield made


def ref(stage: Stage, number: int) -> ChangeRef:
    return ChangeRef(stage.repo, number)


def check(sha: str, conclusion: CheckConclusion = CheckConclusion.PENDING) -> CheckToSet:
    return CheckToSet("headgate/gate", sha, conclusion, "waits for 1 approval")


def merged(stage: Stage, number: int, sha: str) -> MergeOutcome:
    """The outcome of a merge, as soon as the host is not busy any more: it may still look for conflicts."""
    for _ in range(400):
        try:
            return stage.host.merge(ref(stage, number), sha, "merge", "T")
        except HostBusy:
            time.sleep(0.05)
    raise AssertionError("the host stays busy")


def test_every_registered_host_is_held_to_this_contract() -> None:
    assert set(STAGES) | set(ALIASES) == set(HOSTS)
    assert all(HOSTS[alias] is HOSTS[kind] for alias, kind in ALIASES.items())


# ------------------------------------------------------------------------------------------- renaming


def test_a_renamed_repository_keeps_its_number_and_is_not_read_under_its_former_name(stage: Stage) -> None:
    old, host = ref(stage, stage.open_change("one")), stage.host
    before = host.home(stage.repo)
    assert before is not None
    assert host.change(old, known=None, checks=False).home == before
    renamed = stage.rename()
    assert host.home(stage.repo) == Home(renamed, before.id)
    with pytest.raises(Renamed) as caught:
        host.change(old, known=None, checks=False)
    assert caught.value.home == Home(renamed, before.id)
    assert host.change(ChangeRef(renamed, old.number), known=None, checks=False).home == caught.value.home


# -------------------------------------------------------------------------------------------- inbox


def test_what_the_host_posts_is_accepted_and_hints_at_what_happened(stage: Stage) -> None:
    hints = []
    for headers, body in stage.deliveries():
        delivery = stage.host.receive(headers, body, datetime.now(UTC))
        assert delivery.host == "home"
        hints += stage.host.decode(delivery)
    touched = [hint for hint in hints if isinstance(hint, ChangeTouched)]
    assert {hint.ref for hint in touched} == {ref(stage, 1)}
    assert ("bo", stage.head(1)) in {(hint.pusher, hint.head) for hint in touched}
    assert any(isinstance(hint, BranchMoved) and hint.branch == "told" for hint in hints)


def test_what_somebody_else_posts_is_refused(stage: Stage) -> None:
    headers, body = stage.deliveries()[-1]
    with pytest.raises(SignatureError):
        stage.host.receive(headers, body + b" ", datetime.now(UTC))
    bare = {name: "" if "signature" in name.lower() else value for name, value in headers.items()}
    with pytest.raises(SignatureError):
        stage.host.receive(bare, body, datetime.now(UTC))


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"\xff", b"[" * 5000, b'{"repository": 1}'])
def test_decoding_never_raises(stage: Stage, body: bytes) -> None:
    for event in ("pull_request", "push", "issue_comment", "status", "", "?"):
        delivery = Delivery("home", "1", event, body, datetime.now(UTC))
        assert stage.host.decode(delivery)
        assert stage.host.about(delivery) is None


def test_every_delivery_tells_of_which_repository_it_is_by_the_hosts_own_number(stage: Stage) -> None:
    home = stage.host.home(stage.repo)
    assert home is not None and home.repo == stage.repo
    for headers, body in stage.deliveries():
        assert stage.host.about(stage.host.receive(headers, body, datetime.now(UTC))) == home


# ------------------------------------------------------------------------------------------- reader


def test_a_change_is_told_with_its_people_reviews_and_words(stage: Stage) -> None:
    number = stage.open_change("one")
    stage.approve(number, "bo")
    stage.say(number, "bo", "/plan")
    facts = stage.host.change(ref(stage, number), known=None, checks=True)
    assert (facts.change.ref, facts.change.author, facts.change.state) == (
        ref(stage, number),
        "dee",
        ChangeState.OPEN,
    )
    assert (facts.change.head_sha, facts.change.from_fork) == (stage.head(number), False)
    assert [(review.author, review.state) for review in facts.reviews] == [("bo", ReviewState.APPROVED)]
    assert [(comment.author, comment.body) for comment in facts.comments] == [("bo", "/plan")]
    assert [commit.sha for commit in facts.commits] == [stage.head(number)]
    assert facts.permission_of("bo") is Permission.WRITE
    assert facts.complete
    assert facts.change.created_at.tzinfo is not None


def test_a_teams_members_are_listed_and_one_that_is_not_there_is_nobodys_guess(stage: Stage) -> None:
    stage.make_team("dba", "bo", "dee")
    found = stage.host.members("acme/dba")
    assert found is not None and {"bo", "dee"} <= found
    assert stage.host.members("acme/nobody") is None
    assert stage.host.members("no/such group!") is None
    whole = stage.host.members("acme")
    assert whole is None or all(name == name.lower() for name in whole)


def test_reading_twice_tells_the_same_and_known_facts_do_not_outlive_a_push(stage: Stage) -> None:
    number = stage.open_change("one")
    known = stage.host.change(ref(stage, number), known=None, checks=True)
    assert stage.host.change(ref(stage, number), known=known, checks=True) == known
    head = stage.push("one", "bo")
    facts = stage.host.change(ref(stage, number), known=known, checks=True)
    assert (facts.change.head_sha, facts.commits[-1].sha) == (head, head)
    assert facts.pushers.get(head, "") in ("", "bo")


def test_our_own_checks_are_never_read_back(stage: Stage) -> None:
    number = stage.open_change("one")
    stage.host.set_check(stage.repo, check(stage.head(number), CheckConclusion.SUCCESS))
    assert stage.host.change(ref(stage, number), known=None, checks=True).checks == ()


def test_what_moved_is_listed(stage: Stage) -> None:
    one, two = stage.open_change("one"), stage.open_change("two")
    stage.close(one)
    assert [stub.ref.number for stub in stage.host.moved_changes(stage.repo, None)] == [two]
    since = datetime.now(UTC) - timedelta(hours=1)
    assert {stub.ref.number: stub.open for stub in stage.host.moved_changes(stage.repo, since)} == {
        one: False,
        two: True,
    }


def test_the_repositories_are_those_our_account_has_a_part_in_but_for_the_archived(stage: Stage) -> None:
    ours, closed = stage.another(shared=True), stage.another(shared=True, archived=True)
    theirs = stage.another(shared=False)
    listed = stage.host.repositories()
    assert {stage.repo, ours} <= set(listed)
    assert not {closed, theirs} & set(listed)
    assert len(listed) == len(set(listed))


def test_what_is_not_there_is_gone(stage: Stage) -> None:
    with pytest.raises(HostGone):
        stage.host.change(ref(stage, 99), known=None, checks=False)
    assert stage.host.permission(stage.repo, "no-such-person") is Permission.NONE


@pytest.mark.parametrize("trouble", ["fail_next", "limit_next"])
def test_a_host_in_trouble_is_busy_to_a_reader(stage: Stage, trouble: str) -> None:
    stage.limit_next(17) if trouble == "limit_next" else stage.fail_next()
    with pytest.raises(HostBusy) as caught:
        stage.host.default_branch(stage.repo)
    assert caught.value.retry_after == 17 if trouble == "limit_next" else caught.value.retry_after > 0


def test_no_credential_is_in_an_address(stage: Stage) -> None:
    credentials = stage.host.git_credentials(stage.repo)
    assert credentials is not None
    assert credentials[1] not in stage.host.clone_url(stage.repo)
    assert stage.host.clone_url(stage.repo).startswith("http")


# ----------------------------------------------------------------------------------------- reporter


def test_a_comment_is_ours_and_can_be_edited_and_dropped(stage: Stage) -> None:
    number = stage.open_change("one")
    made = stage.host.put_comment(ref(stage, number), "", f"{MARKED}plan")
    assert stage.host.put_comment(ref(stage, number), made, f"{MARKED}newer") == made
    (comment,) = stage.host.change(ref(stage, number), known=None, checks=False).comments
    assert (comment.id, comment.ours, comment.body) == (made, True, f"{MARKED}newer")
    stage.host.drop_comment(ref(stage, number), made)
    stage.host.drop_comment(ref(stage, number), made)
    assert stage.comments(number) == []
    with pytest.raises(HostGone):
        stage.host.put_comment(ref(stage, number), made, "again")


def test_a_comment_as_long_as_is_promised_is_taken(stage: Stage) -> None:
    number, limit = stage.open_change("one"), stage.host.capabilities().comment_limit
    stage.host.put_comment(ref(stage, number), "", "é" * limit)
    assert [len(text) for text in stage.comments(number)] == [limit]
    with pytest.raises(HostDenied):
        stage.host.put_comment(ref(stage, number), "", "é" * (limit + 1))


@pytest.mark.parametrize("conclusion", CheckConclusion)
def test_a_check_stands_on_its_commit(stage: Stage, conclusion: CheckConclusion) -> None:
    sha = stage.head(stage.open_change("one"))
    stage.host.set_check(stage.repo, check(sha, conclusion))
    assert stage.checks(sha) == {"headgate/gate": conclusion.value}


def test_a_merge_is_guarded_by_the_head(stage: Stage) -> None:
    number = stage.open_change("one")
    judged = stage.head(number)
    head = stage.push("one", "bo")
    assert merged(stage, number, judged) is MergeOutcome.HEAD_MOVED
    assert merged(stage, number, head) is MergeOutcome.MERGED
    change = stage.host.change(ref(stage, number), known=None, checks=False).change
    assert (change.state, change.merged_by) == (ChangeState.MERGED, stage.host.own_login())
    assert stage.host.changes_of_commit(stage.repo, change.merge_sha) == (number,)


def test_what_is_closed_cannot_be_merged(stage: Stage) -> None:
    number = stage.open_change("one")
    stage.close(number)
    assert stage.host.merge(ref(stage, number), stage.head(number), "merge", "T") is MergeOutcome.NOT_MERGEABLE


def test_a_deployment_keeps_its_id_through_its_states(stage: Stage) -> None:
    words = (stage.head(stage.open_change("one")), "prod")
    if not stage.host.capabilities().deployments:
        with pytest.raises(HostDenied):
            stage.host.set_deployment(stage.repo, "", *words, "queued", "", "edge-prod")
        return
    made = stage.host.set_deployment(stage.repo, "", *words, "queued", "", "edge-prod")
    for state in ("in_progress", "success", "failure", "inactive"):
        assert stage.host.set_deployment(stage.repo, made, *words, state, "", "edge-prod") == made


@pytest.mark.parametrize("what", ["comment", "merge", "deployment"])
def test_a_write_whose_answer_was_lost_is_unclear(stage: Stage, what: str) -> None:
    if what == "deployment" and not stage.host.capabilities().deployments:
        pytest.skip("this host has no deployments, so none can be lost")
    number = stage.open_change("one")
    sha = stage.head(number)
    writes: dict[str, Callable[[], object]] = {
        "comment": lambda: stage.host.put_comment(ref(stage, number), "", "x"),
        "merge": lambda: stage.host.merge(ref(stage, number), sha, "merge", "T"),
        "deployment": lambda: stage.host.set_deployment(stage.repo, "", sha, "prod", "queued", "", "x"),
    }
    stage.lose_next_answer()
    with pytest.raises(HostUnclear):
        writes[what]()


@pytest.mark.parametrize("sha", ["0" * 40, "x"])
def test_a_write_that_makes_no_sense_is_refused_for_good(stage: Stage, sha: str) -> None:
    with pytest.raises(HostError) as caught:
        stage.host.set_check(stage.repo, check(sha))
    assert isinstance(caught.value, HostDenied | HostGone)
