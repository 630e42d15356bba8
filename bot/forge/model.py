"""What a Git host remembers, in words that fit any host; mutable, and only ever touched under the state's lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum, StrEnum
from pathlib import Path

from bot.forge.report_model import Activity, Car, CheckRun, Deployment, Environment, ExternalCheck, Pipeline, Status
from bot.forge.ruleset_model import Ruleset


class Role(IntEnum):
    """What somebody may do in a repository; each role includes the ones below it."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5

    @property
    def word(self) -> str:
        """The host's lower-case name of the role."""
        return self.name.lower()


class AccountKind(StrEnum):
    """Who stands behind an account."""

    USER = "User"
    BOT = "Bot"
    ORGANIZATION = "Organization"


class ReviewState(StrEnum):
    """What a review says."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    COMMENTED = "COMMENTED"
    DISMISSED = "DISMISSED"


class MergeMethod(StrEnum):
    """How a pull request lands on its base branch."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"
    FAST_FORWARD = "fast_forward"


class Refusal(Enum):
    """Why the host says no, so that each face can choose its status code."""

    NOT_FOUND = "not found"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"
    CONFLICT = "conflict"
    NOT_MERGEABLE = "not mergeable"


class Refused(Exception):
    """The host said no; ``reason`` is what it would tell the person, ``kind`` the class of the answer."""

    def __init__(self, reason: str, kind: Refusal = Refusal.INVALID) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


@dataclass(slots=True)
class Account:
    """A person, a bot or an organization."""

    id: int
    login: str
    name: str
    kind: AccountKind
    created_at: datetime

    @property
    def email(self) -> str:
        """The address written into commits."""
        return f"{self.login.replace('[', '-').replace(']', '')}@users.noreply.example.com"


@dataclass(slots=True)
class Team:
    """A group of people inside an organization; a parent's members include its children's."""

    id: int
    org: str
    slug: str
    name: str
    parent: str | None = None
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class App:
    """A registered application that signs in with a key and acts through installations."""

    id: int
    slug: str
    owner: str
    bot: str
    public_key: str
    created_at: datetime
    permissions: dict[str, str]
    events: tuple[str, ...]
    hook: Hook | None = None


@dataclass(slots=True)
class Installation:
    """An application allowed to act for an account, on all or on some repositories; for a while not at all."""

    id: int
    app_id: int
    account: str
    repositories: set[str] | None
    created_at: datetime
    suspended_at: datetime | None = None
    suspended_by: str | None = None

    def covers(self, repo: Repo) -> bool:
        """Whether the repository was given to the application."""
        return repo.owner == self.account and (self.repositories is None or repo.full_name in self.repositories)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request: an account, and the application when one stands behind it."""

    login: str
    app_id: int | None = None
    installation_id: int | None = None


@dataclass(slots=True)
class Label:
    """A word put on issues and pull requests."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """A reaction to something that was said."""

    id: int
    name: str
    author: str
    at: datetime


@dataclass(slots=True)
class Comment:
    """One entry of a conversation."""

    id: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    editor: str | None = None
    app_id: int | None = None
    system: bool = False
    thread: str | None = None
    resolvable: bool = False
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    awards: list[Award] = field(default_factory=list)


@dataclass(slots=True)
class Review:
    """Somebody's judgement of one commit of a pull request."""

    id: int
    author: str
    body: str
    state: ReviewState
    commit_id: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingMerge:
    """A merge that somebody ordered for the moment in which nothing stands against it; ``car`` on a merge train."""

    by: str
    sha: str
    method: MergeMethod
    title: str | None = None
    car: Car | None = None


@dataclass(slots=True)
class Issue:
    """A numbered conversation; a pull request is one with branches."""

    id: int
    number: int
    author: str
    title: str
    body: str
    created_at: datetime
    updated_at: datetime
    open: bool = True
    closed_at: datetime | None = None
    closed_by: str | None = None
    locked: bool = False
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    awards: list[Award] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    notices: list[Comment] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Pull(Issue):
    """A proposal to bring a head branch onto a base branch."""

    base_ref: str
    base_sha: str
    head_repo: str
    head_ref: str
    head_sha: str
    draft: bool = False
    reviews: list[Review] = field(default_factory=list)
    requested_reviewers: list[str] = field(default_factory=list)
    requested_teams: list[str] = field(default_factory=list)
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_sha: str | None = None
    merged_of: tuple[str, str] = ("", "")
    landed_as: MergeMethod | None = None
    squash_sha: str | None = None
    conflicted: bool = False
    null_reads: int = 0
    waiting_merge: WaitingMerge | None = None
    remove_source: bool = False
    squash: bool = False


@dataclass(frozen=True, slots=True)
class RequiredCheck:
    """A check that must succeed before a merge; ``app_id`` pins who must have said so."""

    context: str
    app_id: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do something to a branch: holders of a role (None: nobody by role), and the people named."""

    role: Role | None
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Protection:
    """The rules of one branch. ``approvals`` is None when no review rule is set."""

    checks: tuple[RequiredCheck, ...] | None = None
    strict: bool = False
    approvals: int | None = None
    dismiss_stale: bool = False
    code_owners: bool = False
    last_push_approval: bool = False
    enforce_admins: bool = False
    allow_force_pushes: bool = False
    allow_deletions: bool = False
    linear_history: bool = False
    push: Access | None = None
    merge: Access | None = None


@dataclass(slots=True)
class ApprovalRule:
    """How many of whom must approve; without people and groups anybody who may write counts."""

    id: int
    name: str
    needed: int
    people: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    branches: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Settings:
    """How a repository wants its merges, where a host has that per repository and not per branch."""

    method: MergeMethod = MergeMethod.MERGE
    up_to_date: bool = False
    pipeline_must_succeed: bool = False
    skipped_will_do: bool = False
    threads_must_be_resolved: bool = False
    external_checks_must_pass: bool = False
    reset_approvals_on_push: bool = False
    author_approval: bool = False
    committers_approval: bool = True
    remove_source: bool = False
    squash: str = "default_off"
    trains: bool = False


@dataclass(slots=True)
class Delivery:
    """One attempt to hand an event to a hook; a redelivery keeps the GUID and gets a new id."""

    id: int
    guid: str
    event: str
    action: str | None
    request_headers: dict[str, str]
    body: bytes
    redelivery: bool
    delivered_at: datetime
    duration: float = 0.0
    status_code: int = 0
    status: str = "pending"
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""


@dataclass(slots=True)
class Hook:
    """An address that wants to be told; ``face`` chooses whose payloads it gets."""

    id: int
    repo: str
    url: str
    secret: str
    events: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    active: bool = True
    content_type: str = "json"
    face: str = "github"
    signing_token: str = ""
    failures: int = 0
    disabled_until: datetime | None = None
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass(slots=True)
class Repo:
    """A repository and everything that hangs on it; git data lies at ``path``."""

    id: int
    owner: str
    name: str
    path: Path
    default_branch: str
    created_at: datetime
    pushed_at: datetime
    private: bool = True
    archived: bool = False
    parent: str | None = None
    description: str | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    team_roles: dict[str, Role] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    suites: dict[tuple[str, int], int] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    group_roles: dict[str, Role] = field(default_factory=dict)
    pipelines: dict[int, Pipeline] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    external_checks: dict[int, ExternalCheck] = field(default_factory=dict)
    approval_rules: dict[int, ApprovalRule] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    rulesets: dict[int, Ruleset] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def pulls(self) -> list[Pull]:
        """The pull requests, oldest first."""
        return [issue for issue in self.issues.values() if isinstance(issue, Pull)]
