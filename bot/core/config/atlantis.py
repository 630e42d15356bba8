"""An ``atlantis.yaml`` or ``repos.yaml`` as a file of ours, and in words what of it has no counterpart.

What each key means: https://www.runatlantis.io/docs/repo-level-atlantis-yaml.html and
https://www.runatlantis.io/docs/server-side-repo-config.html
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from bot.core.config.document import Document, load
from bot.core.errors import Problem
from bot.core.match import Glob

ALWAYS: Final = {
    "parallel_plan": "plans always run in parallel, up to `limits.runs`",
    "parallel_apply": "deploys run in parallel wherever order and locks allow it",
    "abort_on_execution_order_fail": "a failed project always stops what depends on it",
}
"""Keys whose effect is there without a word; they are not told unless they ask for the opposite."""

ELSEWHERE: Final = {
    "automerge": "say `auto_merge: true` for the repository in headgate-server.yaml",
    "delete_source_branch_on_merge": "a setting of the Git host",
    "emoji_reaction": "commands are answered in words where an answer is needed",
    "allowed_regexp_prefixes": "commands name projects, not patterns",
    "repo_locks": "plans lock nothing; a deploy locks its target",
    "repo_locking": "plans lock nothing; a deploy locks its target",
    "silence_pr_comments": "there is one comment, and none where nothing is affected",
    "policies": "policies of Headgate's own come later; until then the static guard and approvals",
    "policy_check": "policies of Headgate's own come later; until then the static guard and approvals",
    "custom_policy_check": "policies of Headgate's own come later; until then the static guard and approvals",
    "terraform_version": "the worker's own; put the wanted one first in `path` of headgate-server.yaml",
    "import_requirements": "there is no import by comment: write an `import` block",
    "plan_requirements": "whoever may write is planned; strangers wait for `/ok-to-plan`",
    "pre_workflow_hooks": "nothing runs before the static guard has read the change",
    "post_workflow_hooks": "chat routes tell of what happened",
    "allowed_overrides": "a repository can make every rule stricter and none laxer",
    "allow_custom_workflows": "what runs is the tool's own; programs of yours are `tool: command`",
    "allowed_workflows": "what runs is the tool's own; programs of yours are `tool: command`",
    "repo_config_file": "the file is always `.headgate.yaml`",
    "metrics": "metrics are at /metrics",
    "team_authz": "who may do what comes from permissions on the Git host",
    "external_stores": "plans are kept in the store, encrypted",
}
"""Where else, or why not, what a key says is said with Headgate."""

HOSTS: Final = {"github.com": "github", "gitlab.com": "gitlab", "gitea.com": "gitea"}
APPROVED: Final = "approved"
OWN_FILES: Final = re.compile(r"(\*\*/)?\*(\.tf\*?|\.tofu\*?|\.tfvars\*?)?\Z|\*\*(/\*)?\Z")
"""Patterns of files in the project's own directory, which plan it anyway."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Our file's text, which of our files it is, and what was not taken over, each as ``KEY: why``."""

    text: str
    server: bool
    notes: tuple[str, ...]


def imported(text: str | bytes, file: str) -> Imported | tuple[Problem, ...]:
    """The file translated, or why it cannot be read."""
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw = document.value
    if not isinstance(raw, dict) or not ({"projects", "repos", "version", "workflows", "autodiscover"} & raw.keys()):
        return (Problem(file, 1, "", "is neither an atlantis.yaml (`projects`) nor a repos.yaml (`repos`)"),)
    work = _Translation(raw)
    value = work.server() if "repos" in raw else work.repository()
    out = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
    return Imported(out, "repos" in raw, tuple(dict.fromkeys(work.notes)))


@dataclass(slots=True)
class _Translation:
    raw: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)

    def note(self, key: str, why: str) -> None:
        self.notes.append(f"{key}: {why}")

    def left(self, raw: Mapping[str, Any], taken: set[str], place: str = "") -> None:
        """Tell of every key that was not taken."""
        for key, value in raw.items():
            if key in taken or (key in ALWAYS and value is True):
                continue
            known = ALWAYS.get(key) or ELSEWHERE.get(key)
            self.note(f"{place}{key}", known or "is not known to Atlantis as it was when this was written")

    # ------------------------------------------------------------------------------------- atlantis.yaml

    def repository(self) -> dict[str, Any]:
        found: dict[str, Any] = {"version": 1}
        listed = [each for each in _list(self.raw.get("projects")) if isinstance(each, dict)]
        plain: list[dict[str, Any]] = []
        discovered: list[dict[str, Any]] = []
        for number, each in enumerate(listed):
            project = self._project(each, f"projects[{number}].")
            (discovered if "*" in project["path"] else plain).append(project)
        self._groups(listed, plain)
        auto = self.raw.get("autodiscover") or {}
        mode = auto.get("mode", "auto") if isinstance(auto, dict) else "auto"
        if mode == "enabled" and listed:
            discovered.append({"tool": "terraform", "path": "**"})
        if isinstance(auto, dict) and auto.get("ignore_paths"):
            self.note("autodiscover.ignore_paths", "list under `discover` the directories that are wanted")
        if discovered or (mode == "disabled" and not listed):
            found["discover"] = [{key: each[key] for key in each if key != "name"} for each in discovered]
        if plain:
            found["projects"] = plain
        self.left(self.raw, {"version", "projects", "workflows", "autodiscover"})
        return found

    def _project(self, raw: Mapping[str, Any], place: str) -> dict[str, Any]:
        path = posixpath.normpath(str(raw.get("dir") or "."))
        workspace = str(raw.get("workspace") or "default")
        name = str(raw.get("name") or "") or "-".join(
            each for each in (path.replace("/", "-").strip(".-") or "root", workspace) if each != "default"
        )
        tofu = str(raw.get("terraform_distribution", "")).lower() == "opentofu"
        found: dict[str, Any] = {
            "name": re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "root",
            "path": path,
            "tool": "tofu" if tofu else "terraform",
        }
        if workspace != "default":
            found["workspace"] = workspace
        if raw.get("depends_on"):
            found["depends_on"] = [str(each) for each in _list(raw["depends_on"])]
        self._autoplan(raw.get("autoplan"), path, found, place)
        self._workflow(raw.get("workflow"), found, place)
        self._requirements(raw.get("apply_requirements"), f"{place}apply_requirements")
        if raw.get("branch"):
            self.note(f"{place}branch", "target branches are the operator's: `branches` in headgate-server.yaml")
        taken = {"name", "dir", "workspace", "terraform_distribution", "depends_on", "autoplan", "workflow"}
        self.left(raw, taken | {"apply_requirements", "branch", "execution_order_group"}, place)
        return found

    def _autoplan(self, raw: object, path: str, found: dict[str, Any], place: str) -> None:
        if not isinstance(raw, dict):
            return
        if raw.get("enabled") is False:
            self.note(f"{place}autoplan.enabled", "what a change affects is always planned")
        more = []
        for pattern in map(str, _list(raw.get("when_modified"))):
            sign, name = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
            whole = posixpath.normpath(posixpath.join(path, name))
            if not sign and OWN_FILES.match(name):
                continue
            if whole.startswith("..") or Glob.flaw(whole):
                self.note(f"{place}autoplan.when_modified", f"`{pattern}` leaves the repository")
            elif sign and (path == "." or whole.startswith(f"{path}/")):
                self.note(f"{place}autoplan.when_modified", f"`{pattern}`: a project's own files always plan it")
            else:
                more.append(sign + whole)
        if more:
            found["when_changed"] = more

    def _requirements(self, raw: object, key: str) -> None:
        for each in map(str, _list(raw)):
            if each == APPROVED:
                self.note(key, "`approved`: say `approvals: 1` (or more) of the environment in headgate-server.yaml")
            elif each not in ("mergeable", "undiverged"):
                self.note(key, f"`{each}` has no counterpart")

    def _groups(self, listed: list[dict[str, Any]], plain: list[dict[str, Any]]) -> None:
        """Later groups wait for all of the one before: that is what ``depends_on`` says."""
        groups: dict[int, list[dict[str, Any]]] = {}
        for raw, project in zip((each for each in listed if "*" not in str(each.get("dir", ""))), plain, strict=True):
            group = raw.get("execution_order_group", 0)
            groups.setdefault(group if isinstance(group, int) else 0, []).append(project)
        ordered = [groups[key] for key in sorted(groups)]
        for before, after in itertools.pairwise(ordered):
            for project in after:
                names = [each["name"] for each in before]
                project["depends_on"] = list(dict.fromkeys([*project.get("depends_on", ()), *names]))

    # ------------------------------------------------------------------------------------------ workflows

    def _workflow(self, name: object, found: dict[str, Any], place: str) -> None:
        if not name:
            return
        workflow = (self.raw.get("workflows") or {}).get(name)
        if not isinstance(workflow, dict):
            self.note(f"{place}workflow", f"`{name}` is not in this file, so its arguments were not seen")
            return
        for step, arguments in self._steps(workflow, f"workflows.{name}"):
            for option, value in _options(arguments):
                self._argument(step, option, value, found, f"workflows.{name}")

    def _steps(self, workflow: Mapping[str, Any], place: str) -> Iterator[tuple[str, list[str]]]:
        for stage, raw in workflow.items():
            for step in _list(raw.get("steps") if isinstance(raw, dict) else None):
                if isinstance(step, str):
                    continue
                for kind, detail in step.items() if isinstance(step, dict) else ():
                    if kind in ("init", "plan", "apply") and isinstance(detail, dict):
                        yield kind, [str(each) for each in _list(detail.get("extra_args"))]
                    elif kind in ("env", "multienv"):
                        self.note(f"{place}.{stage}", f"`{kind}`: variables are granted by the operator (`env`)")
                    else:
                        self.note(f"{place}.{stage}", f"`{kind}`: no other programs run; see `tool: command`")

    def _argument(self, step: str, option: str, value: str, found: dict[str, Any], place: str) -> None:
        name, _, text = value.partition("=")
        if option == "-var-file" and "$" not in value:
            found["var_files"] = list(dict.fromkeys([*found.get("var_files", ()), value]))
        elif option == "-var" and "$" not in value:
            found.setdefault("vars", {})[name] = text
        elif option == "-backend-config" and "=" not in value and "$" not in value:
            found["backend_config"] = list(dict.fromkeys([*found.get("backend_config", ()), value]))
        elif option not in ("-lock", "-lock-timeout", "-input", "-no-color", "-upgrade"):
            self.note(f"{place}.{step}", f"`{option}` was not taken over")

    # ---------------------------------------------------------------------------------------- repos.yaml

    def server(self) -> dict[str, Any]:
        repositories, approvals = [], False
        for number, raw in enumerate(each for each in _list(self.raw.get("repos")) if isinstance(each, dict)):
            place = f"repos[{number}]."
            match = self._match(str(raw.get("id") or ""), place)
            approvals = approvals or APPROVED in _list(raw.get("apply_requirements"))
            if match:
                entry: dict[str, Any] = {"match": match, "mode": "observe", "environments": {"default": ["**"]}}
                if branches := self._branches(raw.get("branch"), place):
                    entry["branches"] = branches
                repositories.append(entry)
            if raw.get("workflow"):
                self.note(f"{place}workflow", "what runs is the tool's own; arguments belong to `.headgate.yaml`")
            self.left(raw, {"id", "branch", "apply_requirements", "workflow"}, place)
        self.left(self.raw, {"repos", "workflows"})
        self.note(
            "mode", "every repository begins with `observe`, which only records; then `comment`, then `enforce`"
        )
        self.note("environments", "split `default` into your environments, each with its paths and credentials")
        found: dict[str, Any] = {"version": 1}
        found["repositories"] = repositories
        found["environments"] = {"default": {"approvals": 1 if approvals else 0}}
        return found

    def _match(self, text: str, place: str) -> str:
        pattern = text.strip()
        if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
            pattern = pattern[1:-1].removeprefix("^").removesuffix("$")
            pattern = re.sub(r"\.[*+]", "**", pattern.replace(r"\.", "\0").replace("[^/]+", "*").replace(r"\/", "/"))
            pattern = pattern.replace("\0", ".")
            if re.search(r"[][()|+?{}\\^$]", pattern):
                self.note(f"{place}id", f"`{text}` is a pattern that has to be written as a glob by hand")
                return ""
        host, slash, rest = pattern.partition("/")
        name = HOSTS.get(host, host) + slash + rest
        if name.endswith("**") and name.count("/") < 2:
            name = f"{name.removesuffix('**') or '*/'}**/*"
        if not name or Glob.flaw(name):
            self.note(f"{place}id", f"`{text}` names no repository")
            return ""
        return name

    def _branches(self, raw: object, place: str) -> list[str]:
        if not raw:
            return []
        text = str(raw).strip("/").removeprefix("^").removesuffix("$")
        names = text.removeprefix("(").removesuffix(")").split("|")
        if all(re.fullmatch(r"[\w./-]+", name) for name in names) and "." not in text.replace(r"\.", ""):
            return names
        self.note(f"{place}branch", f"`{raw}`: list the branches by name under `branches`")
        return []


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """``-a=b`` and ``-a b`` as pairs; several in one argument are split as a shell's words would be."""
    words = [word for argument in arguments for word in argument.split()]
    at = 0
    while at < len(words):
        option, equals, value = words[at].partition("=")
        if not equals and at + 1 < len(words) and not words[at + 1].startswith("-"):
            at, value = at + 1, words[at + 1]
        yield "-" + option.lstrip("-"), value
        at += 1
