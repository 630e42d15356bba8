"""A small pure world: what is decided is folded, runs run, the host obeys or refuses; laws are checked on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from bot.core.decide.decision import decide
from bot.core.decide.quotas import WINDOW
from bot.core.effects import (
    Decision,
    LeaveLine,
    MergeChange,
    PublishCheck,
    PublishComment,
    PublishDeployment,
    Say,
    StartRun,
    key_of,
)
from bot.core.effectset import EffectSet
from bot.core.face.render import body_digest
from bot.core.fold import fold, having_said
from bot.core.model import ChangeState, Commit, Permission, Review, ReviewState
from bot.core.people import contributors
from bot.core.project import Project
from bot.core.record import CheckConclusion, CheckShown, InLine, Intent, IntentState, Memory, Refusal, Verb
from bot.core.rules import Environment
from bot.core.runs import Failure, FailureKind, Holder, PlanResult, Run, RunKind, RunState, Step
from bot.core.snapshot import MergeFact, Quota, Snapshot, TargetFact

STEPS = {
    "fail": Step.FAIL,
    "differ": Step.DIFFER,
    "lose": Step.BURY,
    "cancel": Step.CANCEL,
    "expire": Step.EXPIRE,
}


class World:
    """One change, its runs and its host."""

    def __init__(
        self,
        build: SimpleNamespace,
        projects: tuple[Project, ...],
        *,
        refuses: bool = False,
        lines: bool = False,
        **fields: Any,
    ) -> None:
        self.build, self.refuses, self.lines = build, refuses, lines
        affected = tuple(build.an_affected(each) for each in projects or (build.a_project(),))
        self.base = build.a_snapshot(affected=affected, plans=(), **fields)
        self.now: datetime = build.NOW
        self.memory: Memory = self.base.memory
        self.runs: list[Run] = []
        self.intents: list[Intent] = []
        self.ahead: dict[str, tuple[Intent, ...]] = {}
        self.sets: dict[str, EffectSet] = dict(self.base.sets)
        self.merge: MergeFact | None = None
        self.paused = self.frozen = ""
        self.share = 0
        self.started: list[Run] = []
        self.pushes = self.comments = 0

    # ------------------------------------------------------------------------------ looking and doing

    def snapshot(self) -> Snapshot:
        facts = {
            each.project.target: TargetFact(each.project.target, ahead=self.ahead.get(each.project.target, ()))
            for each in self.memory.selection.affected
        }
        return replace(
            self.base, now=self.now, memory=self.memory, runs=tuple(self.runs), sets=self.sets, merge=self.merge,
            intents=tuple(self.intents), targets=facts, paused=self.paused, frozen=self.frozen,
            quotas=self._quotas(),
        )  # fmt: skip

    def _quotas(self) -> tuple[Quota, ...]:
        """What of ``share`` plans an hour is used, as the store would count it."""
        plans = (run.created_at for run in self.runs if run.kind is RunKind.PLAN)
        counted = sorted((at for at in plans if at > self.now - WINDOW), reverse=True)[: self.share]
        next_at = (counted[-1] if counted else self.now) + WINDOW
        return (Quota("plans_per_author", "ann", len(counted), self.share, next_at),) if self.share else ()

    def round(self) -> Decision:
        """Decide once and carry it out."""
        snapshot = self.snapshot()
        decision = decide(snapshot)
        assert decide(snapshot) == decision
        assert not (decision.state and decision.host), "what people see waits until memory is safe"
        self._check(snapshot, decision)
        if decision.state:
            self._remember(snapshot, decision)
        for effect in decision.host:
            self._perform(snapshot, effect)
        return decision

    def settle(self, rounds: int = 25) -> Decision:
        """Carry out decisions until nothing is left to do; fails when that does not happen."""
        for _ in range(rounds):
            decision = self.round()
            if not decision.state and not decision.host:
                return decision
        raise AssertionError(f"still deciding after {rounds} rounds: {decision}")

    def _remember(self, snapshot: Snapshot, decision: Decision) -> None:
        folded = fold(snapshot, decision.state)
        self.memory = folded.memory
        known = {run.id for run in self.runs}
        fresh = [run for run in folded.runs if run.id not in known]
        self.started += fresh
        self.runs += fresh
        for run_id in folded.cancel:
            self._move(run_id, Step.CANCEL)
        self.intents += folded.intents
        for move in folded.moves:
            assert move.intent in self.intents
            self.intents = [
                replace(each, state=move.state, reason=move.reason) if each == move.intent else each
                for each in self.intents
            ]
        for run in list(self.runs):
            if run.state is RunState.SUSPECT and run.project.target in folded.release:
                self._move(run.id, Step.BURY)
        self.frozen = "" if folded.thaw else self.frozen

    def _move(self, run_id: str, step: Step, **fields: Any) -> None:
        self.runs = [replace(run, **fields).moved(step, self.now) if run.id == run_id else run for run in self.runs]

    # ------------------------------------------------------------------------------------ the host

    def _perform(self, snapshot: Snapshot, effect: Any) -> None:
        key = key_of(effect)
        if self.refuses:
            before = self.memory.refusals.get(key)
            attempts = before.attempts + 1 if before else 1
            refusal = Refusal(attempts, self.now + timedelta(seconds=min(60 * 2**attempts, 21600)), "not now")
            self.memory = replace(self.memory, refusals={**self.memory.refusals, key: refusal})
            return
        left = {name: refusal for name, refusal in self.memory.refusals.items() if name != key}
        self.memory = replace(self.memory, refusals=left)
        published = self.memory.published
        match effect:
            case PublishComment():
                pages = tuple((str(at), body_digest(page)) for at, page in enumerate(effect.pages))
                assert all(len(page) <= snapshot.comment_limit for page in effect.pages)
                shown = replace(effect.shown, at=self.now)
                self.memory = replace(self.memory, faces=(*self.memory.faces, shown))
                published = replace(published, pages=pages)
            case PublishCheck():
                shown_check = CheckShown(effect.name, effect.sha, effect.conclusion, effect.summary)
                others = (each for each in published.checks if each.sha == effect.sha and each.name != effect.name)
                published = replace(published, checks=(*others, shown_check))
            case Say():
                self.memory = having_said(self.memory, effect.key)
            case MergeChange() if self.lines:
                self.memory = replace(self.memory, line=InLine(effect.head, self.now, effect.asked_by))
                self._change(queued=True)
            case MergeChange():
                self.merge_now(effect.asked_by or "headgate")
            case LeaveLine():
                self.memory = replace(self.memory, line=None)
                self._change(queued=False)
            case PublishDeployment():
                deployments = {**published.deployments, effect.key: f"1:{effect.state}"}
                published = replace(published, deployments=deployments)
        self.memory = replace(self.memory, published=published)

    # ------------------------------------------------------------------------------------ the laws

    def _check(self, snapshot: Snapshot, decision: Decision) -> None:
        for effect in decision.effects():
            if isinstance(effect, StartRun) and effect.run.kind is RunKind.DEPLOY:
                self._check_deploy(snapshot, effect.run)
            if isinstance(effect, PublishCheck) and effect.name == "headgate/gate":
                record = snapshot.standing_record()
                green = effect.conclusion is CheckConclusion.SUCCESS
                assert not green or (record is not None and record.head == effect.sha)
            if isinstance(effect, MergeChange):
                record = snapshot.standing_record()
                assert record is not None
                assert record.head == effect.head

    def _check_deploy(self, snapshot: Snapshot, run: Run) -> None:
        fact = snapshot.targets.get(run.project.target)
        assert fact is None or not fact.ahead, "an earlier merge goes first"
        assert not snapshot.paused
        assert not snapshot.frozen
        merge = snapshot.memory.merge
        assert merge is not None
        record = next((each for each in snapshot.memory.records if each.id == merge.admitted), None)
        accepted = {each.reviewed for each in (*self.started, run) if each.accepted_by}
        if record is not None:
            assert record.head == snapshot.change.head_sha
            assert record.opened_at.replace(microsecond=0) <= merge.at
            assert record.closed_at is None or record.closed_at > merge.at
            assert merge.mechanical
        reviewed = record.effects.get(run.project.name, "") if record else ""
        assert run.reviewed in accepted or (record is not None and run.reviewed == reviewed)
        for login in run.accepted_by:
            assert login.lower() not in contributors(snapshot)
            assert snapshot.permission_of(login) >= Permission.WRITE
        for other in self.runs:
            assert other.state.over or other.kind is RunKind.PLAN or other.project.target != run.project.target

    # ----------------------------------------------------------------------------- what people do

    @property
    def change(self) -> Any:
        return self.memory.host.change

    def _host(self, **fields: Any) -> None:
        self.memory = replace(self.memory, host=replace(self.memory.host, **fields))

    def _change(self, **fields: Any) -> None:
        self._host(change=replace(self.change, **fields))

    def push(self, author: str) -> None:
        """A new head whose plans read other inputs."""
        if self.change.state is not ChangeState.OPEN:
            return
        self.pushes += 1
        head = f"{self.pushes:040x}"
        chosen = self.memory.selection
        affected = tuple(replace(each, digest=f"{each.project.name}-{self.pushes}") for each in chosen.affected)
        self.memory = replace(self.memory, selection=replace(chosen, head=head, affected=affected))
        commits = (*self.memory.host.commits, Commit(head, author, author))
        self._host(commits=commits, pushers={**self.memory.host.pushers, head: author}, checks=())
        self._change(head_sha=head, queued=False)

    def review(self, login: str, state: ReviewState = ReviewState.APPROVED) -> None:
        if self.change.state is ChangeState.OPEN:
            self.comments += 1
            given = Review(f"{self.comments:06d}", login, state, self.change.head_sha, self.now)
            self._host(reviews=(*self.memory.host.reviews, given))

    def say(self, verb: Verb, login: str, *words: str, **fields: Any) -> None:
        self.comments += 1
        request = self.build.a_request(
            verb, login, *words, id=f"{self.comments}:0", at=self.now, head=self.change.head_sha, **fields
        )
        self.memory = replace(self.memory, requests=(*self.memory.requests, request))

    def accept(self, login: str) -> None:
        """Accept whatever the last stopped deploy, or else the last plan, would do."""
        for run in reversed(self.runs):
            if run.plan is not None and run.state in (RunState.DIFFERS, RunState.SUCCEEDED):
                self.say(Verb.DEPLOY, login, run.project.name, accept=run.plan.fingerprint[:8])
                return

    def merge_now(self, by: str) -> None:
        if self.change.state is ChangeState.OPEN:
            self._change(state=ChangeState.MERGED, merged_at=self.now, merged_by=by, merge_sha=self.build.MERGED)
            self.merge = self.build.a_merge_fact()

    def turn(self) -> None:
        """What stands in line is merged, as its turn has come."""
        if self.change.queued:
            self.merge_now("headgate")

    def fall(self) -> None:
        """What stands in line leaves it unmerged, and the host is asked some time later."""
        self.wait(20)
        self._host(read_at=self.now)
        self._change(queued=False)

    def close(self, closed: bool = True) -> None:
        if self.change.state is not ChangeState.MERGED:
            self._change(state=ChangeState.CLOSED if closed else ChangeState.OPEN)

    def draft(self, draft: bool) -> None:
        self._change(draft=draft)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # ----------------------------------------------------------------------------- what runs do

    def run_all(self, outcome: str = "succeed", effects: EffectSet | None = None) -> None:
        """Every run that has not ended gets on in one way."""
        for run in list(self.runs):
            if not run.state.over and not (run.kind is RunKind.PLAN and outcome in ("differ", "expire")):
                self._finish(run, outcome, effects or self.build.an_effect_set())

    def _finish(self, run: Run, outcome: str, effects: EffectSet) -> None:
        if run.state is RunState.QUEUED and outcome != "cancel":
            holder = Holder("worker", "boot", 7, 1.0)
            self._move(run.id, Step.CLAIM, started_at=self.now, holder=holder)
        if outcome in ("expire", "cancel") and run.state is RunState.SUSPECT:
            return
        print_of = self.build.printed(effects)
        self.sets[print_of] = effects
        plan = PlanResult(print_of)
        failure = Failure(FailureKind.TOOL, "it broke") if outcome == "fail" else None
        self._move(run.id, STEPS.get(outcome, Step.SUCCEED), plan=plan, failure=failure, applying=outcome != "differ")
        if run.kind is RunKind.DEPLOY and outcome in ("succeed", "fail", "differ"):
            state = IntentState.DEPLOYED if outcome == "succeed" else IntentState.STOPPED
            self.intents = [
                replace(each, state=state) if each.project == run.project.name else each for each in self.intents
            ]


def with_environments(*named: Environment) -> dict[str, Environment]:
    """By their names."""
    return {each.name: each for each in named}
