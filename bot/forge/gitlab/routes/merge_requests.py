"""Merge requests: list, open, read, change; their commits, diffs, pipelines and reactions."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.forge import pulls
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import commit as commit_shapes
from bot.forge.gitlab.shapes import merge_request as shapes
from bot.forge.gitlab.shapes import report as report_shapes
from bot.forge.gitlab.shapes.people import basic, username
from bot.forge.groups import find_group
from bot.forge.model import Pull, Repo, Role
from bot.forge.pipelines import pipelines_of

DRAFT = re.compile(r"^\s*(?:draft:|\[draft\]|\(draft\))\s*", re.IGNORECASE)
_STATES = ("opened", "closed", "merged", "locked", "all")


def _wanted(call: Call) -> Callable[[Pull], bool]:
    state = call.one_of("state", *_STATES) or "all"
    labels, iids = call.words("labels"), call.words("iids")
    pairs = [("source_branch", "head_ref"), ("target_branch", "base_ref")]
    exact = {attribute: call.text(name) for name, attribute in pairs if call.text(name) is not None}
    author, draft = call.text("author_username"), call.one_of("wip", "yes", "no")
    drafts = {"yes": True, "no": False}.get(draft or "", call.flag("draft"))
    bounds = {name: call.moment(name) for name in ("updated_after", "updated_before", "created_after")}

    def fits(pull: Pull) -> bool:
        after, before, made = bounds["updated_after"], bounds["updated_before"], bounds["created_after"]
        return (
            state in ("all", shapes.state_word(pull))
            and (labels is None or set(labels) <= set(pull.labels))
            and (iids is None or str(pull.number) in iids)
            and all(getattr(pull, name) == value for name, value in exact.items())
            and (author is None or username(pull.author) == author)
            and (drafts is None or pull.draft == drafts)
            and (after is None or pull.updated_at >= after)
            and (before is None or pull.updated_at <= before)
            and (made is None or pull.created_at >= made)
        )

    return fits


def _listed(call: Call, repos: list[Repo]) -> Result:
    fits = _wanted(call)
    rows = [(repo, pull) for repo in repos for pull in repo.pulls if fits(pull)]
    key = call.one_of("order_by", "created_at", "updated_at", "merged_at", "title", "priority") or "created_at"
    by = "updated_at" if key == "updated_at" else "created_at"
    rows.sort(key=lambda row: (getattr(row[1], by), row[1].id), reverse=call.one_of("sort", "asc", "desc") != "asc")
    return Page(rows, lambda row: shapes.merge_request(call.state, row[0], row[1]))


def list_merge_requests(call: Call) -> Result:
    """``GET /projects/:id/merge_requests``."""
    return _listed(call, [call.repo])


def list_everywhere(call: Call) -> Result:
    """``GET /merge_requests``."""
    return _listed(call, call.state.visible(call.actor))


def list_in_group(call: Call, group: str) -> Result:
    """``GET /groups/:id/merge_requests``."""
    path = find_group(call.state, group)[1]
    seen = call.state.visible(call.actor)
    return _listed(call, [repo for repo in seen if f"{repo.owner}/".startswith(f"{path}/")])


def create(call: Call) -> Result:
    """``POST /projects/:id/merge_requests``; the project is that of the source branch."""
    target_id = call.number("target_project_id")
    target = next((repo for repo in call.state.repos.values() if repo.id == target_id), call.repo)
    title = call.need("title")
    branch, base = call.need("source_branch"), call.need("target_branch")
    head = branch if target is call.repo else f"{call.repo.full_name}:{branch}"
    draft = DRAFT.match(title) is not None
    plain = DRAFT.sub("", title)
    wish = pulls.Opening(plain, head, base, call.description() or "", draft)
    taken = [p for p in target.pulls if p.open and (p.head_ref, p.base_ref) == (branch, base)]
    if any(pull.head_repo == call.repo.full_name for pull in taken):
        raise Declined(409, [f"Another open merge request already exists for this source branch: !{taken[0].number}"])
    pull = pulls.open_pull(call.state, target, call.actor, wish)
    pull.remove_source, pull.squash = bool(call.flag("remove_source_branch")), bool(call.flag("squash"))
    labels = call.words("labels")
    # Labels of those who may not set them are left out without a word.
    if labels and call.state.role(target, call.actor) >= Role.TRIAGE:
        pulls.add_labels(call.state, target, call.actor, pull, labels)
    return Answer(shapes.merge_request_full(call.state, target, pull, call.actor), 201)


def get(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid``."""
    pull = call.pull(iid)
    shape = shapes.merge_request_full(call.state, call.repo, pull, call.actor)
    if call.flag("include_diverged_commits_count"):
        git = call.state.git(call.repo)
        base = git.refs("refs/heads").get(f"refs/heads/{pull.base_ref}", pull.base_sha)
        span = f"{pull.head_sha}..{base}"
        shape["diverged_commits_count"] = int(git.text("rev-list", "--count", span))
    if call.flag("include_rebase_in_progress"):
        shape["rebase_in_progress"] = False
    return shape


def update(call: Call, iid: int) -> Result:
    """``PUT /projects/:id/merge_requests/:iid``."""
    pull = call.pull(iid)
    parts = (call.state, call.repo, call.actor, pull)
    title = call.text("title")
    if title is not None:
        pulls.set_draft(*parts, draft=DRAFT.match(title) is not None)
        title = DRAFT.sub("", title)
    pulls.edit(*parts, title=title, body=call.description())
    target = call.text("target_branch")
    if target is not None:
        pulls.retarget(*parts, target)
    _relabel(call, pull)
    squash, remove, locked = call.flag("squash"), call.flag("remove_source_branch"), call.flag("discussion_locked")
    pull.squash = pull.squash if squash is None else squash
    pull.remove_source = pull.remove_source if remove is None else remove
    pull.locked = pull.locked if locked is None else locked
    ids = call.words("reviewer_ids")
    if ids is not None:
        pulls.request_reviewers(*parts, [call.login_of(int(one)) for one in ids if one != "0"])
    match call.one_of("state_event", "close", "reopen"):
        case "close":
            pulls.close_pull(*parts)
        case "reopen":
            pulls.reopen(*parts)
        case _:
            pass
    return shapes.merge_request_full(call.state, call.repo, pull, call.actor)


def _relabel(call: Call, pull: Pull) -> None:
    parts = (call.state, call.repo, call.actor, pull)
    exact = call.words("labels")
    if exact is None and call.params.get("labels") == "":
        exact = []
    gone = call.words("remove_labels") or []
    if exact is not None:
        gone = [name for name in pull.labels if name not in exact]
    for name in gone:
        if name in pull.labels:
            pulls.remove_label(*parts, name)
    wanted = [*(exact or []), *(call.words("add_labels") or [])]
    if wanted:
        pulls.add_labels(*parts, wanted)


def commits(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/commits``, newest first."""
    found = pulls.pull_commits(call.state, call.repo, call.pull(iid))
    return Page(found[::-1], lambda info: commit_shapes.commit_short(call.state, call.repo, info))


def changes(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/changes``."""
    pull = call.pull(iid)
    shape = shapes.merge_request_full(call.state, call.repo, pull, call.actor)
    files = shapes.shown_files(call.state, call.repo, pull)
    return shape | {"changes": [commit_shapes.diff(one) for one in files.shown], "overflow": files.more}


def diffs(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/diffs``."""
    return Page(shapes.shown_files(call.state, call.repo, call.pull(iid)).shown, commit_shapes.diff)


def versions(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/versions``."""
    return Page(shapes.versions(call.state, call.repo, call.pull(iid)), lambda row: row)


def pipelines(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/pipelines``."""
    pull = call.pull(iid)
    homes = [
        call.repo,
        *(r for r in call.state.repos.values() if r.full_name == pull.head_repo and r is not call.repo),
    ]
    rows = [(home, found) for home in homes for found in pipelines_of(home, pull.head_sha)]
    return Page(rows, lambda row: report_shapes.pipeline(call.state, row[0], row[1]))


def reviewers(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/reviewers``."""
    return shapes.reviewer_states(call.state, call.pull(iid))


def participants(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/participants``."""
    pull = call.pull(iid)
    people = dict.fromkeys([pull.author, *(c.author for c in pull.comments), *shapes.reviewers(pull)])
    return Page(list(people), lambda login: basic(call.state, login))


def delete(call: Call, iid: int) -> Result:
    """``DELETE /projects/:id/merge_requests/:iid``."""
    call.repo.issues.pop(call.pull(iid).number)
    call.state.version += 1
    return Answer(None, 204)


_ONE = "projects/<id>/merge_requests/<int:iid>"
ROUTES = (
    Route("GET", "merge_requests", list_everywhere),
    Route("GET", "groups/<group>/merge_requests", list_in_group),
    Route("GET", "projects/<id>/merge_requests", list_merge_requests),
    Route("POST", "projects/<id>/merge_requests", create),
    Route("GET", _ONE, get),
    Route("PUT", _ONE, update),
    Route("DELETE", _ONE, delete, Role.ADMIN),
    Route("GET", f"{_ONE}/commits", commits),
    Route("GET", f"{_ONE}/changes", changes),
    Route("GET", f"{_ONE}/diffs", diffs),
    Route("GET", f"{_ONE}/versions", versions),
    Route("GET", f"{_ONE}/pipelines", pipelines),
    Route("GET", f"{_ONE}/reviewers", reviewers),
    Route("GET", f"{_ONE}/participants", participants),
)
