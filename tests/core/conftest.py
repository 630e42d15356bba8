"""Builders with valid defaults: a test states only how its case differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.core.effectset import ABSENT, Action, EffectSet, Leaf, ResourceEffect, Value, effect_set, fingerprint
from bot.core.model import (
    Change,
    ChangeRef,
    ChangeState,
    Commit,
    HostFacts,
    Permission,
    RepoRef,
    Review,
    ReviewState,
)
from bot.core.project import Affected, Project, Selection, Standing
from bot.core.record import (
    CheckConclusion,
    CheckShown,
    Command,
    Covered,
    FaceShown,
    GateRecord,
    Intent,
    IntentState,
    Judgement,
    Memory,
    MergeRecord,
    Published,
    Request,
    Verb,
)
from bot.core.rules import Environment, Limits, RepoRules
from bot.core.runs import PlanResult, Run, RunKind, RunState
from bot.core.snapshot import MergeFact, Snapshot

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
REPO = RepoRef("github", "acme/infra")
REF = ChangeRef(REPO, 12)
HEAD, BASE, MERGED = "a" * 40, "b" * 40, "c" * 40
KEY = b"key"
PEOPLE = {
    "ann": Permission.WRITE,
    "bo": Permission.WRITE,
    "cy": Permission.WRITE,
    "mel": Permission.MAINTAIN,
    "ro": Permission.READ,
}


def ago(seconds: float) -> datetime:
    """That long before the moment of the snapshot."""
    return NOW - timedelta(seconds=seconds)


def a_project(name: str = "app", **fields: Any) -> Project:
    given = {"path": name, "tool": "terraform", "environment": "prod", "target": f"state/{name}", **fields}
    return Project(name, **given)


def an_affected(project: Project | str = "app", standing: Standing = Standing.EXISTING, **fields: Any) -> Affected:
    made = a_project(project) if isinstance(project, str) else project
    given = {"digest": f"digest-{made.name}", "because": (f"`{made.path}/main.tf` changed",), **fields}
    return Affected(made, standing, **given)


def an_effect(address: str = "aws_bucket.logs", action: Action = Action.CREATE, **fields: Any) -> ResourceEffect:
    leaves = fields.pop("leaves", None)
    if leaves is None:
        leaves = (Leaf("name", ABSENT, Value.known("logs")),)
    return ResourceEffect(address, action, fields.pop("type", "aws_bucket"), leaves=tuple(leaves), **fields)


def an_effect_set(*effects: ResourceEffect, **fields: Any) -> EffectSet:
    """Without arguments: one bucket is created."""
    return effect_set(effects or (an_effect(),), **fields)


def printed(effects: EffectSet) -> str:
    return fingerprint(KEY, effects)


def a_change(**fields: Any) -> Change:
    given: dict[str, Any] = {
        "ref": REF,
        "title": "Add logs",
        "author": "ann",
        "state": ChangeState.OPEN,
        "head_sha": HEAD,
        "head_ref": "logs",
        "head_repo": REPO,
        "base_ref": "main",
        "base_sha": BASE,
        "created_at": ago(7200),
        "updated_at": ago(3600),
        "url": "https://host.example/acme/infra/pull/12",
    }
    return Change(**{**given, **fields})


def a_merged_change(**fields: Any) -> Change:
    given = {"state": ChangeState.MERGED, "merged_at": ago(60), "merged_by": "bo", "merge_sha": MERGED}
    return a_change(**{**given, **fields})


def a_plan_run(project: Project | str = "app", effects: EffectSet | None = None, **fields: Any) -> Run:
    made = a_project(project) if isinstance(project, str) else project
    given: dict[str, Any] = {
        "id": f"plan-{made.name}-{fields.get('attempt', 1)}",
        "change": REF,
        "kind": RunKind.PLAN,
        "commit": "d" * 40,
        "digest": f"digest-{made.name}",
        "created_at": ago(3000),
        "state": RunState.SUCCEEDED,
        "finished_at": ago(2900),
    }
    given = {**given, **fields}
    if given["state"] is RunState.SUCCEEDED:
        found = an_effect_set() if effects is None else effects
        given.setdefault("plan", PlanResult(printed(found), tool_version="1.9.0", seconds=4.0))
    return Run(project=made, **given)


def a_deploy_run(project: Project | str = "app", state: RunState = RunState.SUCCEEDED, **fields: Any) -> Run:
    made = a_project(project) if isinstance(project, str) else project
    given: dict[str, Any] = {
        "id": f"deploy-{made.name}-{fields.get('attempt', 1)}",
        "change": REF,
        "kind": RunKind.DEPLOY,
        "commit": MERGED,
        "digest": f"digest-{made.name}",
        "created_at": ago(50),
        "started_at": None if state is RunState.QUEUED else ago(45),
        "finished_at": ago(30) if state.over else None,
        "state": state,
        "reviewed": printed(an_effect_set()),
        "order": 7,
    }
    return Run(project=made, **{**given, **fields})


def a_review(author: str = "bo", state: ReviewState = ReviewState.APPROVED, **fields: Any) -> Review:
    given = {"id": f"review-{author}", "sha": HEAD, "submitted_at": ago(1000), **fields}
    return Review(author=author, state=state, **given)


def a_face(effects: Mapping[str, EffectSet] | None = None, **fields: Any) -> FaceShown:
    shown = {"app": an_effect_set()} if effects is None else effects
    given = {"at": ago(2000), "head": HEAD, "base_ref": "main", **fields}
    return FaceShown(effects={name: printed(each) for name, each in shown.items()}, **given)


def a_request(verb: Verb | None, author: str = "bo", *words: str, **fields: Any) -> Request:
    about = {name: fields.pop(name) for name in ("all", "accept", "state", "reason") if name in fields}
    command = None if verb is None else Command(verb, tuple(words), **about)
    given = {"id": f"{verb.value if verb else 'odd'}-{author}", "at": ago(10), "head": HEAD, **fields}
    return Request(author=author, command=command, **given)


def granted(verb: Verb, author: str = "bo", *words: str, **fields: Any) -> Request:
    return a_request(verb, author, *words, **{"judgement": Judgement.DONE, **fields})


def a_record(**fields: Any) -> GateRecord:
    given: dict[str, Any] = {
        "id": "record",
        "head": HEAD,
        "base_ref": "main",
        "base": BASE,
        "tree": "tree",
        "rules_digest": "rules",
        "opened_at": ago(900),
        "effects": {"app": printed(an_effect_set())},
    }
    return GateRecord(**{**given, **fields})


def a_merge_fact(**fields: Any) -> MergeFact:
    given = {"sha": MERGED, "first_parent": BASE, "tree": "tree", "order": 7, "mechanical": True}
    return MergeFact(**{**given, "rules_digest": "rules", **fields})


def a_merge_record(**fields: Any) -> MergeRecord:
    given: dict[str, Any] = {
        "sha": MERGED,
        "first_parent": BASE,
        "tree": "tree",
        "order": 7,
        "at": ago(60),
        "by": "bo",
        "mechanical": True,
        "rules_digest": "rules",
        "admitted": "record",
    }
    return MergeRecord(**{**given, **fields})


def an_intent(project: str = "app", state: IntentState = IntentState.WAITING, **fields: Any) -> Intent:
    given = {"change": REF, "target": f"state/{project}", "order": 7, "sha": MERGED, "since": ago(60), **fields}
    return Intent(project=project, state=state, **given)


def a_check_shown(conclusion: CheckConclusion = CheckConclusion.SUCCESS, **fields: Any) -> CheckShown:
    given = {"name": "headgate/gate", "sha": HEAD, "summary": "Open: approved by bo", **fields}
    return CheckShown(conclusion=conclusion, **given)


def a_selection(*affected: Affected, **fields: Any) -> Selection:
    given = {"commit": "d" * 40, "tree": "tree", "rules_digest": "rules", **fields}
    return Selection(given.pop("head", HEAD), given.pop("base", BASE), affected=affected, **given)


HOST_FIELDS = ("reviews", "comments", "commits", "checks", "permissions", "pushers", "complete")
MEMORY_FIELDS = ("requests", "records", "faces", "published", "said", "refusals", "planning_since", "heads")


def a_snapshot(*effects: EffectSet, **fields: Any) -> Snapshot:
    """An open change of one planned project that needs one approval. ``affected`` and ``effects`` go along;
    fields of the host's facts, of the memory and of the snapshot are told apart by their names."""
    affected = fields.pop("affected", (an_affected(),))
    shown = effects or tuple(an_effect_set() for _ in affected)
    runs = [a_plan_run(each.project, one) for each, one in zip(affected, shown, strict=False)]
    host: dict[str, Any] = {"commits": (Commit(HEAD, "ann", "ann"),), "pushers": {HEAD: "ann"}}
    host |= {name: fields.pop(name) for name in HOST_FIELDS if name in fields}
    facts = HostFacts(fields.pop("change", None) or a_change(), **host)
    kept = {name: fields.pop(name) for name in MEMORY_FIELDS if name in fields}
    chosen = fields.pop("selection", None) or a_selection(*affected)
    memory = Memory(host=facts, selection=chosen, merge=fields.pop("merged", None), **kept)
    sets = {printed(each): each for each in (*shown, *fields.pop("known", ()))}
    given: dict[str, Any] = {
        "now": NOW,
        "ref": REF,
        "rules": RepoRules("acme/infra", digest="rules"),
        "environments": {"prod": Environment("prod", approvals=1)},
        "limits": Limits(),
        "memory": memory,
        "runs": (*fields.pop("plans", runs), *fields.pop("deploys", ())),
        "sets": sets,
        "people": PEOPLE,
        "bot": "headgate",
        "link": "https://headgate.example/c/12",
    }
    return Snapshot(**{**given, **fields})


def an_approved(**fields: Any) -> Snapshot:
    """Seen, then approved by bo, and the record stands."""
    given = {"faces": (a_face(),), "reviews": (a_review(),), "records": (an_open_record(),), **fields}
    return a_snapshot(**given)


def an_open_record(**fields: Any) -> GateRecord:
    return a_record(**{"approvals": (Covered("bo", ago(1000), HEAD),), **fields})


def a_merged(**fields: Any) -> Snapshot:
    """Approved and merged through the gate; its one project waits for its turn."""
    given = {
        "change": a_merged_change(),
        "merged": a_merge_record(),
        "intents": (an_intent(),),
        "published": Published(pages=(("1", "x"),)),
        **fields,
    }
    return an_approved(**given)


def remembering(snapshot: Snapshot, **fields: Any) -> Snapshot:
    """The same snapshot with another memory."""
    return replace(snapshot, memory=replace(snapshot.memory, **fields))


CONSTANTS = ("NOW", "REPO", "REF", "HEAD", "BASE", "MERGED", "KEY", "PEOPLE")
BUILDERS = SimpleNamespace(
    **{name: value for name, value in list(globals().items()) if name in CONSTANTS or callable(value)}
)


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """Every builder under its name, and the constants they use."""
    return BUILDERS


@pytest.fixture(scope="session", name="a_snapshot")
def _a_snapshot() -> Any:
    return a_snapshot


@pytest.fixture(scope="session", name="a_change")
def _a_change() -> Any:
    return a_change


@pytest.fixture(scope="session", name="a_project")
def _a_project() -> Any:
    return a_project


@pytest.fixture(scope="session", name="an_effect_set")
def _an_effect_set() -> Any:
    return an_effect_set


@pytest.fixture(scope="session", name="a_plan_run")
def _a_plan_run() -> Any:
    return a_plan_run


@pytest.fixture(scope="session", name="a_deploy_run")
def _a_deploy_run() -> Any:
    return a_deploy_run
