"""The operator's settings and the rules in force for one repository: valid values, no files, no secrets read.

Secrets appear only as :class:`SecretRef`; wiring reads them when they are used.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from bot.core.ci import CheckRule
from bot.core.destinations import Destination
from bot.core.guard.rules import GuardRules
from bot.core.policy.model import Policy
from bot.core.project import DeployMode


class Mode(enum.Enum):
    """How far Headgate goes in a repository; a repository joins in steps."""

    OBSERVE = "observe"
    """Records what it would say; says nothing."""
    COMMENT = "comment"
    """Speaks; blocks nothing, deploys nothing."""
    ENFORCE = "enforce"


class Survival(enum.Enum):
    """What a review survives. New effects always drop it."""

    SAME_HEAD = "same_head"
    SAME_EFFECTS = "same_effects"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is: a file's path or an environment variable's name. Never the secret."""

    kind: str
    """``file`` or ``env``."""
    where: str


PROCESS_SECONDS: Final = 60.0
"""What a program has to hand out credentials, unless the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class CredentialProcess:
    """The operator's own program that hands out credentials: its words, its variables, how many seconds it has."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, SecretRef] = field(default_factory=dict)
    timeout: float = PROCESS_SECONDS
    audience: str = ""
    """It is shown an id token for this audience; none when empty."""


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """A token endpoint (RFC 8693) that gives an access token for an id token, and what is asked of it."""

    url: str
    audience: str = ""
    resource: str = ""
    scope: str = ""
    requested_token_type: str = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
    subject_token_type: str = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105 - a name
    client_id: str = ""
    client_secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """An id token for ``audience``, or the one in ``token_file``; perhaps exchanged; and where the run finds it: in
    ``variable``, in a private file whose path is in ``file``, or by way of Google's ``external_account`` (variable,
    file). ``lifetime`` in seconds; 0 for as long as the step may take, an hour at most."""

    audience: str = ""
    token_file: SecretRef | None = None
    file: str = ""
    variable: str = ""
    external_account: tuple[str, SecretRef] | None = None
    exchange: TokenExchange | None = None
    lifetime: float = 0.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a step of an environment is given: variables, plain or read from a secret's place; secrets as files, by
    the variable that holds the file's path; what programs of the operator hand out; id tokens; and directories of
    the worker. ``strangers`` extends it to changes from forks and by people without write permission."""

    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, SecretRef] = field(default_factory=dict)
    files: Mapping[str, SecretRef] = field(default_factory=dict)
    processes: tuple[CredentialProcess, ...] = ()
    identities: tuple[WorkloadIdentity, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    strangers: bool = False

    def references(self) -> Iterator[SecretRef]:
        """Every place of a secret that it takes to hand this out."""
        yield from self.secret_env.values()
        yield from self.files.values()
        for process in self.processes:
            yield from process.secret_env.values()
        for identity in self.identities:
            account = identity.external_account[1] if identity.external_account else None
            client = identity.exchange.client_secret if identity.exchange else None
            yield from (each for each in (identity.token_file, account, client) if each is not None)


@dataclass(frozen=True, slots=True)
class Network:
    """What runs of an environment may connect to: the listed destinations through a proxy; or, when the operator says
    ``host``, whatever the worker's machine can reach, unfiltered. Nothing by default."""

    host: bool = False
    destinations: tuple[Destination, ...] = ()


class Isolation(enum.Enum):
    """Whether commands of a change run isolated. Strangers' commands never run otherwise."""

    REQUIRED = "required"
    WHEN_POSSIBLE = "when_possible"
    """Where the machine forbids it, changes of people with write permission run without."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SandboxRules:
    """How commands are kept: isolation, further directories that every run may read, and what one command may take
    (processes with their threads, bytes of memory, bytes on disk)."""

    isolation: Isolation = Isolation.REQUIRED
    readable: tuple[str, ...] = ()
    processes: int = 2000
    memory: int = 8 * 2**30
    disk: int = 10 * 2**30


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: how many must approve, what must be green, what goes before, which credentials.

    ``approvals`` counts people who did not contribute. ``after`` names environments whose share of a change is
    deployed first. ``volatile`` are ``ADDRESS-GLOB:ATTRIBUTE-GLOB`` patterns whose values may differ between
    review and deploy (never for a delete or replace).
    """

    name: str
    approvals: int = 0
    required_checks: tuple[CheckRule, ...] = ()
    after: tuple[str, ...] = ()
    survive: Survival = Survival.SAME_HEAD
    deploy: DeployMode = DeployMode.ON_MERGE
    volatile: tuple[str, ...] = ()
    windows: tuple[Mapping[str, str], ...] = ()
    """When it is deployed; always where there are none. As written: see ``policy.windows``."""
    freezes: tuple[Mapping[str, str], ...] = ()
    """When it is not, whatever ``windows`` say."""
    freeze_label: str = ""
    """A change with this label is deployed in a freeze nonetheless."""
    freeze_merges: bool = False
    """Whether the gate waits for the end of a freeze, too."""
    plan: Grant = Grant()
    apply: Grant = Grant()
    network: Network = Network()
    guard: GuardRules | None = None
    """The guard here, the operator's general rules included; None when only those hold."""


@dataclass(frozen=True, slots=True)
class RepoRules:
    """The rules in force for one repository.

    ``branches`` are the target branches that are planned, gated and deployed; empty means the default branch.
    ``environments`` maps an environment's name to the path globs granted to it, in order: the first match wins.
    ``max_projects`` more affected projects than this wait for ``/plan --all``.
    """

    match: str
    mode: Mode = Mode.ENFORCE
    branches: tuple[str, ...] = ()
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merge_method: str = "merge"
    auto_merge: bool = False
    max_projects: int = 50
    guard: GuardRules = GuardRules()
    """The operator's guard, for projects whose environment has none of its own."""
    policies: tuple[Policy, ...] = ()
    """Files of policies in force, the operator's first."""
    digest: str = ""
    """Identifies these rules together with their environments' gates (not their credentials)."""


CALLS_PER_MINUTE: Final = 2000
"""As GitLab.com allows: https://docs.gitlab.com/user/gitlab_com/#rate-limits-on-gitlabcom"""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How one Git host is reached. ``kind`` is a key of HOSTS; ``poll`` is None when webhooks are relied on.

    Sweeps take at most a fifth of ``calls_per_minute`` where the host tells no limit of its own; 0 is for no bound.
    ``webhook_url`` is where it posts to us; empty where we have no public address.
    """

    name: str
    kind: str
    url: str = ""
    token: SecretRef | None = None
    app_id: int = 0
    app_key: SecretRef | None = None
    webhook_secrets: tuple[SecretRef, ...] = ()
    poll: timedelta | None = None
    calls_per_minute: int = CALLS_PER_MINUTE
    webhook_url: str = ""


@dataclass(frozen=True, slots=True)
class ChatRoute:
    """Which messages go where. ``when`` are kinds: started, succeeded, failed, waiting, stray, access; empty is all.

    ``kind`` is a key of CHATS; ``options`` are that chat's plain settings, ``secrets`` its secret ones.
    """

    name: str
    kind: str
    when: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one change from harming the rest. Times in seconds, sizes in bytes."""

    plan_timeout: float = 1800.0
    deploy_timeout: float = 7200.0
    lease: float = 60.0
    advance_lease: float = 60.0
    shutdown_grace: float = 60.0
    runs: int = 4
    plans_per_author: int = 1000
    """Plans of one author's changes that may start within an hour; 0 for any number."""
    plans_per_repository: int = 5000
    log_bytes: int = 10 * 2**20
    checkout_bytes: int = 2 * 2**30
    keep_days: int = 90
    comment_pages: int = 5
    quiet_plan: float = 20.0
    """A comment that says "planning" is posted only when planning takes longer than this."""
    reminder: float = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the two HTTP services listen: webhooks may be public, pages are not (sign-in comes later)."""

    webhooks: str = "127.0.0.1:8400"
    pages: str = "127.0.0.1:8401"
    public_url: str = ""
    """How people reach the pages; links are made with it. Empty: ``http://`` + ``pages``, or no links without any."""

    def webhook_url(self, host: str) -> str:
        """Where a host posts its webhooks to; empty where we have no public address."""
        public = self.public_url.rstrip("/")
        return f"{public}/webhooks/{host}" if public else ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in ``headgate-server.yaml``, valid. ``data`` is a directory; ``database`` an SQLAlchemy URL."""

    instance: str = "headgate"
    data: str = ""
    database: str = ""
    database_secret: SecretRef | None = None
    redis: str = ""
    redis_secret: SecretRef | None = None
    durability: str = "kill"
    artifact_key: SecretRef | None = None
    artifacts: str = "database"
    listen: Listen = Listen()
    hosts: Mapping[str, HostSettings] = field(default_factory=dict)
    repositories: tuple[RepoRules, ...] = ()
    deny: tuple[str, ...] = ()
    """Patterns of repositories that are never looked after, whatever the entries say."""
    environments: Mapping[str, Environment] = field(default_factory=dict)
    issuer: str = ""
    """Who signs id tokens, as a URL; empty when nobody does."""
    chat: tuple[ChatRoute, ...] = ()
    policies: tuple[str, ...] = ()
    """Files of policies, or patterns of them, as written: relative to the operator's file."""
    limits: Limits = Limits()
    sandbox: SandboxRules = SandboxRules()
    guard: GuardRules = GuardRules()
    path: str = ""
    """Directories where tools are looked for; empty: a fixed default."""

    def webhook_url(self, host: str) -> str:
        """Where a host posts its webhooks to; empty where we have no public address."""
        return self.listen.webhook_url(host)

    def guard_of(self, rules: RepoRules, environment: str) -> GuardRules:
        """The static guard's rules in force in an environment: its own, else the repository's."""
        known = self.environments.get(environment)
        return known.guard if known is not None and known.guard is not None else rules.guard

    def serving(self, names: Collection[str]) -> Settings:
        """As a worker of these environments alone has it: nothing that any other is granted."""
        kept = {
            name: each if name in names else replace(each, plan=Grant(), apply=Grant())
            for name, each in self.environments.items()
        }
        return replace(self, environments=kept)

    def foreign_variables(self, names: Collection[str]) -> frozenset[str]:
        """Variables of the worker that hold secrets of other environments than these, and of nothing else."""
        ours: list[SecretRef | None] = [self.database_secret, self.redis_secret, self.artifact_key]
        for host in self.hosts.values():
            ours += [host.token, host.app_key, *host.webhook_secrets]
        for route in self.chat:
            ours += route.secrets.values()
        theirs: list[SecretRef] = []
        for name, each in self.environments.items():
            (ours if name in names else theirs).extend((*each.plan.references(), *each.apply.references()))
        kept = {ref.where for ref in ours if ref is not None and ref.kind == "env"}
        return frozenset(ref.where for ref in theirs if ref.kind == "env") - kept

    def environment(self, name: str) -> Environment:
        """The environment of that name, with defaults when the operator wrote nothing about it."""
        return self.environments.get(name) or Environment(name)
