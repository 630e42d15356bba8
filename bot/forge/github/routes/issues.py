"""Issues, labels and the comments of issues and pull requests alike."""

from __future__ import annotations

from datetime import datetime

from bot.forge import pulls, talk
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import pull as shapes
from bot.forge.model import Comment, Issue, Pull, Refused, Role


def list_issues(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/issues``."""
    wanted = call.query.get("state", "open")
    found = [issue for issue in call.repo.issues.values() if wanted == "all" or issue.open == (wanted == "open")]
    found = [issue for issue in found if _since(call, issue.updated_at)]
    return Page(found[::-1], lambda issue: shapes.issue(call.state, call.repo, issue))


def _since(call: Call, at: datetime) -> bool:
    text = call.query.get("since")
    if not text:
        return True
    try:
        # in a query string the plus of an offset arrives as a space
        since = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Refused("since is not a timestamp") from None
    return at >= (since if since.tzinfo else since.replace(tzinfo=at.tzinfo))


def create_issue(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/issues``."""
    state, now = call.state, call.state.now()
    number = state.next_number(call.repo)
    issue = Issue(state.new_id(), number, call.actor.login, call.need("title"), call.text("body") or "", now, now)
    call.repo.issues[number] = issue
    issue.labels = [state.label(call.repo, name).name for name in call.texts("labels")]
    return Answer(shapes.issue(state, call.repo, issue), 201)


def get_issue(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/issues/{number}``."""
    return shapes.issue(call.state, call.repo, pulls.find_issue(call.repo, number))


def update_issue(call: Call, number: int) -> Result:
    """``PATCH /repos/{owner}/{name}/issues/{number}``."""
    issue = pulls.find_issue(call.repo, number)
    parts = (call.state, call.repo, call.actor)
    if isinstance(issue, Pull):
        pulls.edit(*parts, issue, title=call.text("title"), body=call.text("body"))
    else:
        pulls.may_edit(*parts, issue)
        issue.title = call.text("title") or issue.title
        issue.body = call.text("body") or issue.body
    if "labels" in call.body:
        _set_labels(call, issue, call.texts("labels"))
    word = call.text("state")
    if word is not None:
        _set_state(call, issue, word == "open")
    return shapes.issue(call.state, call.repo, issue)


def _set_state(call: Call, issue: Issue, opened: bool) -> None:
    if isinstance(issue, Pull):
        change = pulls.reopen if opened else pulls.close_pull
        change(call.state, call.repo, call.actor, issue)
        return
    issue.open, issue.closed_at = opened, None if opened else call.state.now()
    issue.closed_by = None if opened else call.actor.login


def lock(call: Call, number: int) -> Result:
    """``PUT /repos/{owner}/{name}/issues/{number}/lock``."""
    pulls.find_issue(call.repo, number).locked = True
    return Answer(None, 204)


def unlock(call: Call, number: int) -> Result:
    """``DELETE /repos/{owner}/{name}/issues/{number}/lock``."""
    pulls.find_issue(call.repo, number).locked = False
    return Answer(None, 204)


def _labels(call: Call, issue: Issue) -> Page:
    labels = [call.state.label(call.repo, name) for name in issue.labels]
    return Page(labels, lambda label: shapes.label(call.state, call.repo, label))


def list_labels(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/issues/{number}/labels``."""
    return _labels(call, pulls.find_issue(call.repo, number))


def add_labels(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/issues/{number}/labels``."""
    issue = pulls.find_issue(call.repo, number)
    pulls.add_labels(call.state, call.repo, call.actor, issue, call.texts("labels"))
    return _labels(call, issue)


def _set_labels(call: Call, issue: Issue, names: list[str]) -> None:
    for name in [name for name in issue.labels if name not in names]:
        pulls.remove_label(call.state, call.repo, call.actor, issue, name)
    pulls.add_labels(call.state, call.repo, call.actor, issue, names)


def set_labels(call: Call, number: int) -> Result:
    """``PUT /repos/{owner}/{name}/issues/{number}/labels``."""
    issue = pulls.find_issue(call.repo, number)
    _set_labels(call, issue, call.texts("labels"))
    return _labels(call, issue)


def remove_label(call: Call, number: int, label: str) -> Result:
    """``DELETE /repos/{owner}/{name}/issues/{number}/labels/{label}``."""
    issue = pulls.find_issue(call.repo, number)
    pulls.remove_label(call.state, call.repo, call.actor, issue, label)
    return _labels(call, issue)


def repo_labels(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/labels``."""
    return Page(list(call.repo.labels.values()), lambda label: shapes.label(call.state, call.repo, label))


def list_comments(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/issues/{number}/comments``."""
    issue = pulls.find_issue(call.repo, number)
    found = [comment for comment in issue.comments if _since(call, comment.updated_at)]
    return Page(found, lambda comment: shapes.comment(call.state, call.repo, issue, comment))


def list_all_comments(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/issues/comments``."""
    found = [(issue, comment) for issue in call.repo.issues.values() for comment in issue.comments]
    found = [pair for pair in found if _since(call, pair[1].updated_at)]
    by_update = call.query.get("sort") == "updated"

    def key(pair: tuple[Issue, Comment]) -> tuple[datetime, int]:
        return (pair[1].updated_at if by_update else pair[1].created_at, pair[1].id)

    found.sort(key=key, reverse=call.query.get("direction") == "desc")
    return Page(found, lambda pair: shapes.comment(call.state, call.repo, *pair))


def create_comment(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/issues/{number}/comments``."""
    issue = pulls.find_issue(call.repo, number)
    comment = talk.add_comment(call.state, call.repo, call.actor, issue, call.need("body"))
    return Answer(shapes.comment(call.state, call.repo, issue, comment), 201)


def get_comment(call: Call, comment: int) -> Result:
    """``GET /repos/{owner}/{name}/issues/comments/{comment}``."""
    return shapes.comment(call.state, call.repo, *talk.find_comment(call.repo, comment))


def edit_comment(call: Call, comment: int) -> Result:
    """``PATCH /repos/{owner}/{name}/issues/comments/{comment}``."""
    edited = talk.edit_comment(call.state, call.repo, call.actor, comment, call.need("body"))
    return shapes.comment(call.state, call.repo, talk.find_comment(call.repo, comment)[0], edited)


def delete_comment(call: Call, comment: int) -> Result:
    """``DELETE /repos/{owner}/{name}/issues/comments/{comment}``."""
    talk.delete_comment(call.state, call.repo, call.actor, comment)
    return Answer(None, 204)


_REPO = "/repos/<owner>/<name>"
_ISSUE = f"{_REPO}/issues/<int:number>"
_COMMENT = f"{_REPO}/issues/comments/<int:comment>"
ROUTES = (
    Route("GET", f"{_REPO}/labels", repo_labels, Role.READ),
    Route("GET", f"{_REPO}/issues", list_issues, Role.READ),
    Route("POST", f"{_REPO}/issues", create_issue, Role.READ),
    Route("GET", f"{_REPO}/issues/comments", list_all_comments, Role.READ),
    Route("GET", _COMMENT, get_comment, Role.READ),
    Route("PATCH", _COMMENT, edit_comment, Role.READ),
    Route("DELETE", _COMMENT, delete_comment, Role.READ),
    Route("GET", _ISSUE, get_issue, Role.READ),
    Route("PATCH", _ISSUE, update_issue, Role.READ),
    Route("PUT", f"{_ISSUE}/lock", lock, Role.WRITE),
    Route("DELETE", f"{_ISSUE}/lock", unlock, Role.WRITE),
    Route("GET", f"{_ISSUE}/labels", list_labels, Role.READ),
    Route("POST", f"{_ISSUE}/labels", add_labels, Role.READ),
    Route("PUT", f"{_ISSUE}/labels", set_labels, Role.READ),
    Route("DELETE", f"{_ISSUE}/labels/<path:label>", remove_label, Role.READ),
    Route("GET", f"{_ISSUE}/comments", list_comments, Role.READ),
    Route("POST", f"{_ISSUE}/comments", create_comment, Role.READ),
)
