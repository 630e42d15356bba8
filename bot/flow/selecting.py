"""What a change concerns, read in the mirror: the merge result, both layouts, the affected projects.

Memoised by (rules, base, head); layouts by (rules, tree). When a moved base leaves everything that is planned
the same, the old selection stands, so that nothing is written to the host for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from bot.core.affected import affected
from bot.core.config.digest import with_digest
from bot.core.config.repository import CONFIG_FILE, RepoConfig, parse_repository
from bot.core.config.tighten import tightened
from bot.core.errors import Problem, TooLarge
from bot.core.inputs import reads
from bot.core.layout import lay_out
from bot.core.model import RepoRef
from bot.core.policy.compose import FOLDER, MOST_FILES, broken, in_force, is_policy_file
from bot.core.policy.model import Policy
from bot.core.policy.read import parse_policy
from bot.core.project import Layout, Project, Selection
from bot.core.rules import Environment, Grant, RepoRules, Settings
from bot.flow.guarding import Guard
from bot.ports import Mirror, Source, Tool

Tightened = Mapping[str, Environment]
T = TypeVar("T")
Key = tuple[str, str, str]
"""(repository, digest of the rules, tree)"""

MEMO = 64
"""Layouts and rules kept in memory per process."""


class Selector:
    """Computes selections; one per process, shared by its advances."""

    def __init__(self, settings: Settings, tools: Mapping[str, Tool]) -> None:
        self._settings = settings
        self._tools = tools
        self._layouts: OrderedDict[Key, Layout] = OrderedDict()
        self._in_force: OrderedDict[Key, tuple[RepoRules, Tightened]] = OrderedDict()
        self._guard = Guard(settings, tools)
        self._lock = threading.Lock()

    def of_merge_result(self, mirror: Mirror, repo: RepoRef, rules: RepoRules, base: str, head: str) -> Selection:
        """What ``head`` merged onto ``base`` concerns."""
        try:
            # Before git merges it: its list can be cut off, but what git holds in memory cannot.
            mirror.source(head)
        except TooLarge as error:
            return _unreadable(rules, base, head, error)
        merged = mirror.merge(base, head)
        if merged.conflicts:
            return Selection(head, base, conflicts=merged.conflicts, rules_digest=rules.digest)
        return self.between(mirror, repo, rules, base, merged.commit, head)

    def between(
        self, mirror: Mirror, repo: RepoRef, rules: RepoRules, base: str, commit: str, head: str
    ) -> Selection:
        """What going from ``base`` to ``commit`` concerns; ``head`` is the change's own commit."""
        try:
            before = self.layout(mirror, repo, rules, base)
            after = self.layout(mirror, repo, rules, commit)
            changed = mirror.changed_paths(base, commit)
        except TooLarge as error:
            return _unreadable(rules, base, head, error)
        selection = Selection(
            head=head,
            base=base,
            commit=commit,
            tree=mirror.tree(commit),
            changed_files=len(changed),
            rules_digest=rules.digest,
        )
        if after.problems:
            return replace(selection, problems=after.problems)
        # A broken configuration on the target branch must not lock out its own repair: then every project of
        # the change counts as new, with the environment that the operator's path mapping gives.
        known = Layout() if before.problems else before
        found = affected(known, after, changed, lambda project: _digest(mirror, commit, project))
        guard = self._guard.selection(mirror, repo, rules, selection, found, known, changed)
        return replace(selection, affected=found, guard=guard)

    def layout(self, mirror: Mirror, repo: RepoRef, rules: RepoRules, commit: str) -> Layout:
        """All projects of a commit's tree."""
        key = (str(repo), rules.digest, mirror.tree(commit))
        return self._memo(self._layouts, key, lambda: self._lay_out(mirror, repo, rules, commit))

    def _memo(self, kept: OrderedDict[Key, T], key: Key, make: Callable[[], T]) -> T:
        """What was made for this key before, else made now; made twice when two threads ask at once."""
        with self._lock:
            known = kept.get(key)
            if known is not None:
                kept.move_to_end(key)
                return known
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > MEMO:
                kept.popitem(last=False)
        return made

    def _lay_out(self, mirror: Mirror, repo: RepoRef, rules: RepoRules, commit: str) -> Layout:
        source = mirror.source(commit)
        unreadable = [problem for _, found in _own(source) if not isinstance(found, Policy) for problem in found]
        if unreadable:
            return Layout(problems=tuple(unreadable))
        config = self._config(source)
        if isinstance(config, tuple):
            return Layout(problems=config)
        return lay_out(source, config, self._tools, rules, repo=repo, environments=self._settings.environments)

    def _config(self, source: Source) -> RepoConfig | tuple[Problem, ...] | None:
        text = source.read(CONFIG_FILE)
        if text is not None:
            schemas = {name: tool.option_schema() for name, tool in self._tools.items()}
            return parse_repository(text, schemas)
        if CONFIG_FILE in source.paths():
            return (Problem(CONFIG_FILE, 0, "", "it is a link, or larger than a configuration may be"),)
        return None

    def in_force(self, mirror: Mirror, repo: RepoRef, rules: RepoRules, base: str) -> tuple[RepoRules, Tightened]:
        """The operator's rules as the configuration on the target branch's commit ``base`` makes them stricter."""
        key = (str(repo), rules.digest, mirror.tree(base))
        return self._memo(self._in_force, key, lambda: self._tighten(mirror, rules, base))

    def _tighten(self, mirror: Mirror, rules: RepoRules, base: str) -> tuple[RepoRules, Tightened]:
        source = mirror.source(base)
        own = tuple(policy if isinstance(policy, Policy) else broken(file, policy) for file, policy in _own(source))
        rules = replace(rules, policies=in_force(rules.policies, own)) if own else rules
        config = self._config(source)
        plain = self._settings.environments
        if not isinstance(config, RepoConfig):
            return (with_digest(rules, plain) if own else rules), {}
        stricter = tightened(plain, config)
        changed = {name: each for name, each in stricter.items() if each != plain.get(name)}
        bare = {name: replace(each, plan=Grant(), apply=Grant()) for name, each in changed.items()}
        return (with_digest(rules, stricter) if own or config.environments else rules), bare


def _unreadable(rules: RepoRules, base: str, head: str, error: TooLarge) -> Selection:
    return Selection(head, base, problems=(Problem("the tree", 0, "", str(error)),), rules_digest=rules.digest)


def _own(source: Source) -> Iterator[tuple[str, Policy | tuple[Problem, ...]]]:
    """A repository's own policies in a tree, each read or with what is wrong with it."""
    files = [path for path in source.paths() if is_policy_file(path)]
    if len(files) > MOST_FILES:
        yield FOLDER, (Problem(FOLDER, 0, "", f"holds {len(files)} policies; at most {MOST_FILES} are read"),)
        return
    for file in sorted(files):
        text = source.read(file)
        if text is None:
            yield file, (Problem(file, 0, "", "it is a link, or larger than a configuration may be"),)
        else:
            yield file, parse_policy(text, file)


def _digest(mirror: Mirror, commit: str, project: Project) -> str:
    return mirror.digest(commit, reads(project, mirror.source(commit).paths()))


def settled(old: Selection | None, new: Selection) -> Selection:
    """``old`` when the move of the base changed nothing that people were shown; else ``new``."""
    if old is None or not old.complete or old.head != new.head or old.rules_digest != new.rules_digest:
        return new
    same = old.affected == new.affected and old.conflicts == new.conflicts and old.problems == new.problems
    return old if same and old.guard == new.guard else new
