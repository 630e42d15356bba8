"""What programs say of a commit: statuses, pipelines, check runs, deployments; mutable like all memory here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Status:
    """A light verdict on a commit, by context; ``fine`` is a host's own finer word for the state."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: str
    app_id: int | None
    created_at: datetime
    fine: str | None = None
    ref: str | None = None
    pipeline_id: int | None = None
    allow_failure: bool = False
    coverage: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark of a check run on lines of a file."""

    path: str
    start_line: int
    end_line: int
    level: str
    message: str
    title: str | None = None
    start_column: int | None = None
    end_column: int | None = None
    raw_details: str | None = None


@dataclass(slots=True)
class CheckRun:
    """A rich verdict on a commit, written by an application."""

    id: int
    suite_id: int
    sha: str
    name: str
    app_id: int
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[Annotation] = field(default_factory=list)
    actions: tuple[str, ...] = ()
    """Identifiers of the buttons that the application wants to be shown."""


@dataclass(slots=True)
class DeploymentStatus:
    """One step of a deployment."""

    id: int
    state: str
    creator: str
    description: str
    environment: str
    environment_url: str
    log_url: str
    created_at: datetime


@dataclass(slots=True)
class Deployment:
    """A commit on its way to an environment."""

    id: int
    sha: str
    ref: str
    task: str
    environment: str
    creator: str
    description: str | None
    payload: dict[str, object] | str
    created_at: datetime
    updated_at: datetime
    transient: bool = False
    production: bool = False
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """Statuses of one commit on one ref that are judged together."""

    id: int
    iid: int
    sha: str
    ref: str
    source: str
    creator: str
    created_at: datetime
    updated_at: datetime
    last_word: str = "created"


@dataclass(frozen=True, slots=True)
class Car:
    """A change's place on a merge train: commit ``sha`` on top of ``base``, tried by a pipeline."""

    id: int
    sha: str
    base: str
    pipeline: int
    boarded_at: datetime


@dataclass(slots=True)
class Environment:
    """A place that things are deployed to, by name."""

    id: int
    name: str
    created_at: datetime
    tier: str = "other"
    url: str | None = None
    available: bool = True


@dataclass(frozen=True, slots=True)
class Activity:
    """One movement of a ref, and who moved it."""

    id: int
    kind: str
    ref: str
    before: str
    after: str
    actor: str
    at: datetime


@dataclass(slots=True)
class ExternalCheck:
    """A service that is asked about every change, or those for some branches; ``answers`` holds commit, word and time
    by number of the change."""

    id: int
    name: str
    url: str
    hook_id: int
    branches: frozenset[str] = frozenset()
    answers: dict[int, tuple[str, str, datetime]] = field(default_factory=dict)
