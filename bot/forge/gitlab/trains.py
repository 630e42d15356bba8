"""Merge trains: each car is tried with those before it, lands in its turn, and falls off when it cannot.

https://docs.gitlab.com/ci/pipelines/merge_trains/
"""

from __future__ import annotations

from dataclasses import replace

from bot.forge import merging
from bot.forge.gitlab import standing
from bot.forge.gitlab.landing import tidy, wish_for
from bot.forge.gitlab.shapes.merge_request import identified, web_url
from bot.forge.gitlab.shapes.people import Json, basic, moment
from bot.forge.gitlab.shapes.report import pipeline
from bot.forge.line import Entry, Line, Outcome
from bot.forge.model import Actor, Comment, MergeMethod, Pull, Refusal, Refused, Repo, WaitingMerge
from bot.forge.pipelines import create_pipeline, statuses_of, train_ref, word_of
from bot.forge.report_model import Car
from bot.forge.state import State

RUNNING = ("created", "pending", "running")
NOT_HERE = frozenset({"ci_still_running", "ci_must_pass", "need_rebase"})
"""What does not stand against a car: its own pipeline says that, on top of those before it."""


class Train(Line):
    """The train of one branch; the places are kept with the changes."""

    kind = "pr_merge"

    def __init__(self, state: State, repo: Repo, branch: str) -> None:
        super().__init__(state, repo)
        self._branch = branch

    @property
    def entries(self) -> list[Entry]:
        """The cars in their order."""
        on = [(order.car.id, pull, order) for pull, order in self._orders() if order.car is not None]
        return [
            Entry(pull, Actor(order.by), order.car.sha, order.car.base)
            for _, pull, order in sorted(on, key=lambda each: each[0])
            if order.car is not None
        ]

    def _orders(self) -> list[tuple[Pull, WaitingMerge]]:
        here = (pull for pull in self._repo.pulls if pull.open and pull.base_ref == self._branch)
        return [(pull, pull.waiting_merge) for pull in here if pull.waiting_merge is not None]

    def ref(self, pull: Pull, base: str) -> str:
        """The ref that GitLab keeps for it."""
        del base
        return train_ref(pull.number)

    def wish(self, pull: Pull) -> merging.MergeWish:
        """As the project merges; where it only moves forward, the commits are put on top one by one."""
        order = pull.waiting_merge
        made = wish_for(self._repo, pull, order.title if order is not None else None)
        forward = made.method is MergeMethod.FAST_FORWARD
        return replace(made, method=MergeMethod.REBASE) if forward else made

    def outcome(self, entry: Entry) -> tuple[Outcome, str]:
        """By its pipeline; and by what has come to stand against the merge meanwhile."""
        if entry.pull.draft:
            return Outcome.RED, "the merge request is marked as draft"
        word = self._word(entry)
        if word in RUNNING:
            return Outcome.WAITS, ""
        if word != "success":
            return Outcome.RED, "the pipeline did not succeed"
        against = set(standing.reasons(self._state, self._repo, entry.pull)) - NOT_HERE
        if against and entry.sha == self.entries[0].sha:
            return Outcome.RED, "failed to merge"
        return Outcome.GREEN, ""

    def _word(self, entry: Entry) -> str:
        car = _car(entry)
        return word_of(statuses_of(self._repo, self._repo.pipelines[car.pipeline]))

    def take_out(self, entry: Entry) -> None:
        """Forget its place; the order stands until it has left or landed."""
        order = entry.pull.waiting_merge
        if order is not None:
            entry.pull.waiting_merge = replace(order, car=None)

    def entered(self, entry: Entry) -> None:
        """A pipeline starts for it."""
        pull, by = entry.pull, entry.actor
        ref = self.ref(pull, entry.base)
        made = create_pipeline(self._state, self._repo, by, entry.sha, ref, "merge_request_event")
        car = Car(self._state.new_id(), entry.sha, entry.base, made.id, self._state.now())
        order = pull.waiting_merge or WaitingMerge(by.login, pull.head_sha, self._repo.settings.method)
        pull.waiting_merge, pull.updated_at = replace(order, car=car), self._state.now()
        self._state.version += 1

    def restarted(self, entry: Entry) -> None:
        """Its pipeline tried what is past; the next one replaces it."""

    def left(self, entry: Entry, why: str) -> None:
        """GitLab says so in the conversation, and tells no hook."""
        entry.pull.waiting_merge = None
        because = f" because {why}. [Learn more](/help/ci/pipelines/merge_trains.md)." if why else ""
        self.note(entry.pull, entry.actor, f"removed this merge request from the merge train{because}")

    def landed(self, entry: Entry) -> None:
        """The branch that it came from goes where that was wanted."""
        tidy(self._state, self._repo, entry.actor, entry.pull)

    def _land(self, entry: Entry) -> None:
        entry.pull.landed_as, entry.pull.waiting_merge = self.wish(entry.pull).method, None
        super()._land(entry)

    def note(self, pull: Pull, actor: Actor, words: str) -> None:
        """GitLab's own words in the conversation."""
        now = self._state.now()
        pull.notices.append(Comment(self._state.new_id(), actor.login, words, now, now, system=True))
        pull.updated_at = now
        self._state.version += 1


def _car(entry: Entry) -> Car:
    order = entry.pull.waiting_merge
    assert order is not None, "an entry stands in line"
    assert order.car is not None, "an entry has a place"
    return order.car


def board(state: State, repo: Repo, actor: Actor, pull: Pull, order: WaitingMerge) -> None:
    """Put a change on the train of its branch. Raises Refused when it does not fit behind those on it."""
    train = Train(state, repo, pull.base_ref)
    before = len(train.entries)
    pull.waiting_merge = order
    try:
        train.enter(pull, actor)
    except Refused:
        pull.waiting_merge = None
        raise
    said = f"added this merge request to the merge train at position {before + 1}"
    train.note(pull, actor, said if before else "started a merge train")


def alight(state: State, repo: Repo, actor: Actor, pull: Pull) -> bool:
    """Take a change off its train; whether it was on one."""
    train = Train(state, repo, pull.base_ref)
    entry = next((entry for entry in train.entries if entry.pull is pull), None)
    if entry is None:
        return False
    entry.actor = actor
    train.drop(entry, "")
    return True


def ready(state: State, repo: Repo, pull: Pull) -> bool:
    """Whether a train would take it: nothing stands against its merge, and it has a pipeline that has ended."""
    word = standing.pipeline_word(state, repo, pull)
    return not standing.reasons(state, repo, pull) and word is not None and word not in RUNNING


def settle(state: State, repo: Repo) -> None:
    """Let every train of a project go on; what waits to board one does when it is ready."""
    for pull in repo.pulls:
        order = pull.waiting_merge
        if order is not None and order.car is None and pull.open and ready(state, repo, pull):
            try:
                board(state, repo, Actor(order.by), pull, order)
            except Refused as refused:
                assert refused.kind is Refusal.NOT_MERGEABLE
    for branch in {pull.base_ref for pull in repo.pulls if pull.waiting_merge is not None}:
        Train(state, repo, branch).settle()


def shape(state: State, repo: Repo, pull: Pull) -> Json:
    """A merge request on a merge train, or one that has landed."""
    order = pull.waiting_merge
    car = order.car if order is not None else None
    which = repo.pipelines[car.pipeline] if car is not None else None
    since = car.boarded_at if car is not None else pull.updated_at
    return {
        "id": car.id if car is not None else pull.id,
        "merge_request": {**identified(repo, pull), "web_url": web_url(state, repo, pull)},
        "user": basic(state, order.by if order is not None else pull.merged_by),
        "pipeline": pipeline(state, repo, which) if which is not None else None,
        "created_at": moment(since),
        "updated_at": moment(pull.updated_at),
        "target_branch": pull.base_ref,
        "status": "fresh" if car is not None else "merged",
        "merged_at": moment(pull.merged_at),
        "duration": 0 if car is None else None,
    }


def cars(state: State, repo: Repo, branch: str) -> list[Json]:
    """The train of a branch, the last car first as GitLab lists it."""
    entries = Train(state, repo, branch).entries
    return [shape(state, repo, entry.pull) for entry in reversed(entries)]
