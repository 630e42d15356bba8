"""A policy-bot ``.policy.yml`` as a file of ours, and in words what of it has no counterpart.

What each key means: https://github.com/palantir/policy-bot#policy-file-specification
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from bot.core.config.document import Document, load, shown
from bot.core.errors import Problem
from bot.core.policy.owners import parse_owners
from bot.core.policy.shapes import PERMISSIONS

NO_ACTORS: Final = {"users": ["-"]}
"""Nobody: a rule that wants approvals and names no people can never be met there, nor here."""

OLD_PERMISSIONS: Final = {"admins": "admin", "write_collaborators": "write"}
DEFAULT_COMMENTS: Final = [":+1:", "👍"]

SAME: Final[Mapping[str, str]] = {
    "changed_files": "changed_files",
    "no_changed_files": "no_changed_files",
    "only_changed_files": "only_changed_files",
    "file_added": "added_files",
    "file_not_added": "no_added_files",
    "file_deleted": "deleted_files",
    "file_not_deleted": "no_deleted_files",
}
ACTORS: Final[Mapping[str, str]] = {
    "has_author_in": "author",
    "has_contributor_in": "any_contributor",
    "only_has_contributors_in": "all_contributors",
    "has_valid_signatures_by": "signed_by",
}
FLAGS: Final[Mapping[str, str]] = {
    "author_is_only_contributor": "only_author_contributed",
    "has_valid_signatures": "signed",
}
BRANCHES: Final[Mapping[str, str]] = {"targets_branch": "target_branch", "from_branch": "source_branch"}
LINES: Final[Mapping[str, str]] = {"additions": "added", "deletions": "deleted", "total": "total"}
OPTIONS: Final[Mapping[str, str]] = {
    "ignore_edited_comments": "ignore_edited",
    "ignore_update_merges": "ignore_update_merges",
}


@dataclass(frozen=True, slots=True)
class ImportedPolicy:
    """Our file's text, and what was not taken over or means something else here, each as ``KEY: why``."""

    text: str
    notes: tuple[str, ...]


def imported(text: str | bytes, file: str) -> ImportedPolicy | tuple[Problem, ...]:
    """The file translated, or why it cannot be."""
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw = document.value
    if not isinstance(raw, dict) or not raw.keys() & {"policy", "approval_rules"}:
        return (Problem(file, 1, "", "is no policy of policy-bot: neither `policy` nor `approval_rules` is there"),)
    work = _Translation()
    try:
        value = work.policy(raw)
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        why = f"is not written as policy-bot reads it ({type(error).__name__})"
        return (Problem(file, 1, "", why),)
    out = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
    return ImportedPolicy(out, tuple(dict.fromkeys(work.notes)))


@dataclass(slots=True)
class _Translation:
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, why: str) -> None:
        self.notes.append(f"{shown(key)}: {why}")

    def policy(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The whole file."""
        if "remote" in raw:
            self.note("remote", "import the file that it points to")
        policy = raw.get("policy") or {}
        defaults = (raw.get("approval_defaults") or {}).get("options") or {}
        rules = [self._rule(each, defaults) for each in raw.get("approval_rules") or ()]
        approval = policy.get("approval")
        found: dict[str, Any] = {"version": 1}
        if approval:
            found["approval"] = [self._member(each) for each in approval]
            found["otherwise"] = "wait"
            used = set(_names(found["approval"]))
            rules = [rule for rule in rules if rule["name"] in used]
        else:
            self.note("policy.approval", "is empty, which policy-bot takes for approved; so is this one")
            rules = []
        found["rules"] = rules
        if policy.get("disapproval"):
            found["disapproval"] = self._disapproval(policy["disapproval"])
        return found

    def _member(self, raw: Any) -> Any:
        if isinstance(raw, str):
            return raw
        ((join, members),) = raw.items()
        return {{"and": "all", "or": "any"}[join]: [self._member(each) for each in members]}

    def _rule(self, raw: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
        name = raw["name"]
        found: dict[str, Any] = {"name": name}
        if raw.get("description"):
            found["description"] = raw["description"][:500]
        if raw.get("if"):
            found["if"] = self._conditions(raw["if"], name)
            late = [key for key in ("checks", "workflows", "labels", "title") if key in found["if"]]
            if late:
                why = "may change while nobody pushes: where it does not hold the rule waits, and is not skipped"
                self.note(f"{name}.if", f"{', '.join(late)} {why}")
        require = self._require(raw.get("requires") or {}, name)
        if require:
            found["require"] = require
        found["options"] = self._options({**defaults, **(raw.get("options") or {})}, name)
        return found

    def _require(self, raw: Mapping[str, Any], name: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if raw.get("count"):
            found["count"] = raw["count"]
            found["people"] = self._actors(raw) or dict(NO_ACTORS)
        if raw.get("conditions"):
            found["conditions"] = self._conditions(raw["conditions"], name)
        return found

    def _actors(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for theirs, ours in (("users", "users"), ("teams", "teams"), ("organizations", "organisations")):
            if raw.get(theirs):
                found[ours] = list(raw[theirs])
        held = [*(raw.get("permissions") or ()), *(new for old, new in OLD_PERMISSIONS.items() if raw.get(old))]
        if held:
            found["permission"] = min(held, key=lambda each: PERMISSIONS[each])
        return found

    def _options(self, raw: Mapping[str, Any], name: str) -> dict[str, Any]:
        author = bool(raw.get("allow_author") or raw.get("allow_contributor"))
        others = bool(raw.get("allow_contributor") or raw.get("allow_non_author_contributor"))
        found: dict[str, Any] = {
            "author": author,
            "contributors": others,
            "keep_on_push": not raw.get("invalidate_on_push", False),
        }
        found |= {ours: True for theirs, ours in OPTIONS.items() if raw.get(theirs)}
        if raw.get("ignore_commits_by"):
            found["ignore_commits_by"] = self._actors(raw["ignore_commits_by"])
        if (raw.get("request_review") or {}).get("enabled"):
            self.note(f"{name}.options.request_review", "nobody is asked yet; the comment names who can unblock it")
        found["methods"] = self._methods(raw.get("methods") or {})
        return found

    def _methods(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        comments = list(DEFAULT_COMMENTS if raw.get("comments") is None else raw["comments"])
        comments += [_expression(each) for each in raw.get("comment_patterns") or ()]
        found: dict[str, Any] = {"reviews": raw.get("github_review", True)}
        if comments:
            found["comments"] = comments
        for theirs, ours in (("github_review_comment_patterns", "review_texts"), ("body_patterns", "descriptions")):
            if raw.get(theirs):
                found[ours] = [_expression(each) for each in raw[theirs]]
        return found

    def _disapproval(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if raw.get("if"):
            found["if"] = self._conditions(raw["if"], "disapproval")
        people = self._actors(raw.get("requires") or {})
        if people:
            found["people"] = people
        methods = (raw.get("options") or {}).get("methods") or {}
        for name in ("disapprove", "revoke"):
            if methods.get(name):
                default = {"comments": [":-1:", "👎"] if name == "disapprove" else None}
                found[name] = self._methods({**default, **methods[name]})
        return found or {"if": {"target_branch": ["-"]}}

    # ----------------------------------------------------------------------------------------- predicates

    def _conditions(self, raw: Mapping[str, Any], name: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in raw.items():
            translate = self._predicates().get(key)
            if translate is None:
                self.note(f"{name}.{key}", "has no counterpart, so this rule is never met: write it anew")
                found["target_branch"] = ["-"]
                continue
            for ours, wanted in translate(value):
                found[ours] = wanted
        return found

    def _predicates(self) -> Mapping[str, Callable[[Any], Iterator[tuple[str, Any]]]]:
        table: dict[str, Callable[[Any], Iterator[tuple[str, Any]]]] = {
            "modified_lines": lambda raw: iter([("changed_lines", {LINES[key]: raw[key] for key in raw})]),
            "has_status": self._status,
            "has_successful_status": lambda raw: iter([("checks", {"all_of": raw, "states": ["success"]})]),
            "has_workflow_result": lambda raw: iter(
                [("workflows", {"all_of": raw["workflows"], "conclusions": raw.get("conclusions", ["success"])})]
            ),
            "has_labels": lambda raw: iter([("labels", raw)]),
            "title": lambda raw: iter([("title", _matching(raw))]),
            "repository": lambda raw: iter([("repository", _matching(raw))]),
            "has_valid_signatures_by_keys": lambda raw: iter([("signed_with", raw["key_ids"])]),
            "has_topics": lambda raw: iter([("topics", raw)]),
            "commit_count": lambda raw: iter([("commit_count", raw)]),
            "changed_files_count": lambda raw: iter([("changed_files_count", raw)]),
        }
        table |= {theirs: _renamed(ours, _paths) for theirs, ours in SAME.items()}
        table |= {theirs: _renamed(ours, self._actors) for theirs, ours in ACTORS.items()}
        table |= {theirs: _renamed(ours, lambda raw: raw) for theirs, ours in FLAGS.items()}
        table |= {theirs: _renamed(ours, _branch) for theirs, ours in BRANCHES.items()}
        return table

    def _status(self, raw: Any) -> Iterator[tuple[str, Any]]:
        states = [each if each in ("success", "failure", "neutral", "error", "pending") else "error"
                  for each in raw.get("conclusions", ["success"])]  # fmt: skip
        yield "checks", {"all_of": raw["statuses"], "states": list(dict.fromkeys(states))}


def _renamed(ours: str, translate: Callable[[Any], Any]) -> Callable[[Any], Iterator[tuple[str, Any]]]:
    return lambda raw: iter([(ours, translate(raw))])


def _paths(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: [_expression(each) for each in raw[key]] for key in ("paths", "ignore") if raw.get(key)}


def _branch(raw: Mapping[str, Any]) -> str:
    return _expression(raw["pattern"])


def _matching(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: [_expression(each) for each in raw[key]] for key in ("matches", "not_matches") if raw.get(key)}


def _expression(pattern: str) -> str:
    """Theirs are always expressions of RE2; ours stand between slashes."""
    return f"/{pattern}/"


def _names(members: list[Any]) -> Iterator[str]:
    for each in members:
        if isinstance(each, str):
            yield each
        else:
            for inner in each.values():
                yield from _names(inner)


def owners_imported(text: str, file: str) -> ImportedPolicy | tuple[Problem, ...]:
    """A ``CODEOWNERS`` as a rule of ours that wants its owners: the file stays where it is, and is read there."""
    owners = parse_owners(text, file)
    if owners.problems:
        return owners.problems
    rule = {
        "name": "code owners",
        "description": "The owners of what is changed agree to it",
        "require": {"owners": True, "people": {"permission": "read"}},
    }
    notes = [
        f"[{section.name}]: optional, so nobody has to agree to it" for section in owners.sections if section.optional
    ]
    out = yaml.safe_dump({"version": 1, "rules": [rule]}, sort_keys=False, allow_unicode=True)
    return ImportedPolicy(out, tuple(notes))
