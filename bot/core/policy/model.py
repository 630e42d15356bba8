"""Policies as values: rules about people, groups of them, what takes an approval back. Read by ``read``, evaluated by
``approving`` and ``evaluate``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.model import Permission
from bot.core.policy.facts import Facts, ProjectFact
from bot.core.policy.patterns import Prose
from bot.core.policy.plan_rules import Exempt, PlanRule


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a condition holds; None where the facts do not tell. ``text`` says it with the values compared."""

    holds: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition looks at: the facts, and of the projects those that its rule concerns."""

    facts: Facts
    projects: tuple[ProjectFact, ...]


Test = Callable[[Scope], Outcome]


@dataclass(frozen=True, slots=True)
class Condition:
    """One predicate with what it is compared with. ``mutable`` ones may turn over while nobody pushes."""

    name: str
    test: Test = field(compare=False)
    mutable: bool = False
    narrows: Callable[[ProjectFact], bool] | None = field(default=None, compare=False)
    """For predicates about projects: which of them the rule concerns."""
    edges: tuple[Callable[[datetime], datetime | None], ...] = field(default=(), compare=False)
    """For predicates about time: when it turns over next."""
    literal: tuple[str, ...] = ()
    """For ``environment``: the names written in it that are no patterns."""


@dataclass(frozen=True, slots=True)
class Actors:
    """People, by any of these ways; names in lower case. ``permission`` is the least that will do."""

    users: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    permission: Permission | None = None

    @property
    def nobody(self) -> bool:
        """Whether it names nobody at all."""
        return not (self.users or self.teams or self.organisations or self.permission is not None)


@dataclass(frozen=True, slots=True)
class Methods:
    """What counts as a word of this kind: reviews (perhaps with certain words), comments, the description."""

    reviews: bool = True
    review_texts: tuple[Prose, ...] = ()
    comments: tuple[Prose, ...] = ()
    descriptions: tuple[Prose, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """Whose approval may count and what it survives.

    A push drops approvals unless ``keep_on_push``; new effects drop them always. ``ignored_commits_by`` and
    ``ignore_update_merges`` name commits that neither make a contributor nor count as a push.
    """

    author: bool = False
    contributors: bool = False
    keep_on_push: bool = False
    ignore_update_merges: bool = False
    ignored_commits_by: Actors = Actors()
    ignore_edited: bool = False
    methods: Methods = Methods()


@dataclass(frozen=True, slots=True)
class Require:
    """What a rule wants: this many approvals by these people, from so many different teams, by the owners of what is
    changed, and conditions that hold."""

    count: int = 0
    people: Actors = Actors()
    distinct_teams: int = 0
    owners: bool = False
    conditions: tuple[Condition, ...] = ()

    @property
    def wants_people(self) -> bool:
        """Whether anybody has to approve."""
        return bool(self.count or self.distinct_teams or self.owners)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about people. It concerns a change for which each of ``when`` holds."""

    name: str
    description: str = ""
    when: tuple[Condition, ...] = ()
    require: Require = Require()
    options: Options = Options()
    locked: bool = True
    """Of an operator's rule: whether a repository may not put its own rule of that name in its place."""
    place: str = ""
    """Where it is written: ``file:line``."""


class Join(enum.Enum):
    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Group:
    """Rules joined: each must be met, or one of them. Members are names of rules, or groups."""

    join: Join
    members: tuple[str | Group, ...]

    def names(self) -> tuple[str, ...]:
        """Every rule named in it, at any depth."""
        found: list[str] = []
        for each in self.members:
            found += [each] if isinstance(each, str) else each.names()
        return tuple(dict.fromkeys(found))


DISAPPROVE = Methods(comments=(Prose.plain(":-1:"), Prose.plain("👎")))
REVOKE = Methods(comments=(Prose.plain(":+1:"), Prose.plain("👍")))


@dataclass(frozen=True, slots=True)
class Disapproval:
    """What closes the gate outright: any of ``when``, or a word of ``people`` until one of them takes it back."""

    when: tuple[Condition, ...] = ()
    people: Actors = Actors()
    disapprove: Methods = DISAPPROVE
    revoke: Methods = REVOKE


@dataclass(frozen=True, slots=True)
class Policy:
    """One file's rules, and how they are joined. ``otherwise_pending``: wait when no rule concerns a change."""

    file: str
    rules: tuple[Rule, ...] = ()
    approval: Group = Group(Join.ALL, ())
    disapproval: Disapproval | None = None
    otherwise_pending: bool = False
    plans: tuple[PlanRule, ...] = ()
    agreeing: Mapping[str, Rule] = field(default_factory=dict)
    """Plan rule -> the rule that those meet who must agree."""
    exceptions: tuple[Exempt, ...] = ()
    actors: tuple[Actors, ...] = ()
    """Everybody named anywhere in it, in conditions too: whose teams and organisations must be listed."""
    digest: str = ""
    """Identifies its text."""
