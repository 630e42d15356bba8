"""Pull requests: list, open, change, review, merge."""

from __future__ import annotations

from bot.forge import merging, pulls, talk
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import commit as commit_shapes
from bot.forge.github.shapes import people
from bot.forge.github.shapes import pull as shapes
from bot.forge.model import MergeMethod, Pull, Refused, ReviewState, Role

_VERDICTS = {
    "APPROVE": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
    "COMMENT": ReviewState.COMMENTED,
}


def list_pulls(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/pulls``."""
    wanted = call.query.get("state", "open")
    head, base = call.query.get("head"), call.query.get("base")

    def keep(pull: Pull) -> bool:
        label = f"{pull.head_repo.split('/')[0]}:{pull.head_ref}"
        right_state = wanted == "all" or pull.open == (wanted == "open")
        return right_state and head in (None, label) and base in (None, pull.base_ref)

    found = [pull for pull in call.repo.pulls if keep(pull)]
    by_update = call.query.get("sort") == "updated"
    found.sort(key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.id))
    descending = "desc" if by_update or call.query.get("sort") in (None, "created") else "asc"
    if call.query.get("direction", descending) == "desc":
        found.reverse()
    return Page(found, lambda pull: shapes.pull_simple(call.state, call.repo, pull))


def create_pull(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/pulls``."""
    wish = pulls.Opening(
        call.need("title"), call.need("head"), call.need("base"), call.text("body") or "", call.flag("draft")
    )
    pull = pulls.open_pull(call.state, call.repo, call.actor, wish)
    return Answer(shapes.pull_full(call.state, call.repo, pull), 201)


def get_pull(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}``."""
    return shapes.pull_full(call.state, call.repo, pulls.find_pull(call.repo, number))


def update_pull(call: Call, number: int) -> Result:
    """``PATCH /repos/{owner}/{name}/pulls/{number}``."""
    pull = pulls.find_pull(call.repo, number)
    parts = (call.state, call.repo, call.actor, pull)
    base = call.text("base")
    if base is not None:
        pulls.retarget(*parts, base)
    pulls.edit(*parts, title=call.text("title"), body=call.text("body"))
    match call.text("state"):
        case "closed":
            pulls.close_pull(*parts)
        case "open":
            pulls.reopen(*parts)
        case None:
            pass
        case other:
            raise Refused(f"state {other} is not included in the list")
    return shapes.pull_full(call.state, call.repo, pull)


def list_files(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/files``."""
    pull = pulls.find_pull(call.repo, number)
    changes = pulls.pull_files(call.state, call.repo, pull)
    return Page(changes, lambda change: commit_shapes.changed_file(call.state, call.repo, pull.head_sha, change))


def list_pull_commits(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/commits``."""
    pull = pulls.find_pull(call.repo, number)
    found = pulls.pull_commits(call.state, call.repo, pull)
    return Page(found, lambda info: commit_shapes.commit_info(call.state, call.repo, info))


def is_merged(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/merge``."""
    return Answer(None, 204 if pulls.find_pull(call.repo, number).merged_at is not None else 404)


def merge_pull(call: Call, number: int) -> Result:
    """``PUT /repos/{owner}/{name}/pulls/{number}/merge``."""
    pull = pulls.find_pull(call.repo, number)
    word = call.text("merge_method") or "merge"
    if word not in ("merge", "squash", "rebase"):
        raise Refused(f"merge_method {word} is not included in the list")
    # The API has no word for bypassing: an administrator whom the rules do not bind simply merges.
    wish = merging.MergeWish(
        MergeMethod(word), call.text("sha"), call.text("commit_title"), call.text("commit_message"), bypass=True
    )
    sha = merging.merge(call.state, call.repo, call.actor, pull, wish)
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def update_branch(call: Call, number: int) -> Result:
    """``PUT /repos/{owner}/{name}/pulls/{number}/update-branch``."""
    pull = pulls.find_pull(call.repo, number)
    merging.update_branch(call.state, call.repo, call.actor, pull, call.text("expected_head_sha"))
    url = shapes.pull_simple(call.state, call.repo, pull)["html_url"]
    return Answer({"message": "Updating pull request branch.", "url": url}, 202)


def list_reviews(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/reviews``."""
    pull = pulls.find_pull(call.repo, number)
    return Page(pull.reviews, lambda review: shapes.review(call.state, call.repo, pull, review))


def create_review(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/pulls/{number}/reviews``."""
    pull = pulls.find_pull(call.repo, number)
    word = call.need("event")
    if word not in _VERDICTS:
        raise Refused(f"event {word} is not included in the list")
    body, sha = call.text("body") or "", call.text("commit_id")
    review = talk.submit_review(call.state, call.repo, call.actor, pull, _VERDICTS[word], body, sha)
    return shapes.review(call.state, call.repo, pull, review)


def get_review(call: Call, number: int, review: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/reviews/{review}``."""
    pull = pulls.find_pull(call.repo, number)
    return shapes.review(call.state, call.repo, pull, talk.find_review(pull, review))


def edit_review(call: Call, number: int, review: int) -> Result:
    """``PUT /repos/{owner}/{name}/pulls/{number}/reviews/{review}``."""
    pull = pulls.find_pull(call.repo, number)
    edited = talk.edit_review(call.state, call.repo, call.actor, pull, review, call.need("body"))
    return shapes.review(call.state, call.repo, pull, edited)


def dismiss_review(call: Call, number: int, review: int) -> Result:
    """``PUT /repos/{owner}/{name}/pulls/{number}/reviews/{review}/dismissals``."""
    pull = pulls.find_pull(call.repo, number)
    call.need("message")
    done = talk.dismiss_review(call.state, call.repo, call.actor, pull, review)
    return shapes.review(call.state, call.repo, pull, done)


def requested_reviewers(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/requested_reviewers``."""
    shape = shapes.pull_simple(call.state, call.repo, pulls.find_pull(call.repo, number))
    return {"users": shape["requested_reviewers"], "teams": shape["requested_teams"]}


def request_reviewers(call: Call, number: int) -> Result:
    """``POST /repos/{owner}/{name}/pulls/{number}/requested_reviewers``."""
    pull = pulls.find_pull(call.repo, number)
    people_asked, teams = call.texts("reviewers"), call.texts("team_reviewers")
    pulls.request_reviewers(call.state, call.repo, call.actor, pull, people_asked, teams)
    return Answer(shapes.pull_simple(call.state, call.repo, pull), 201)


def unrequest_reviewers(call: Call, number: int) -> Result:
    """``DELETE /repos/{owner}/{name}/pulls/{number}/requested_reviewers``."""
    pull = pulls.find_pull(call.repo, number)
    gone = set(call.texts("reviewers"))
    pull.requested_reviewers = [login for login in pull.requested_reviewers if login not in gone]
    return shapes.pull_simple(call.state, call.repo, pull)


def review_comments(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/pulls/{number}/comments``."""
    pulls.find_pull(call.repo, number)
    return Page((), lambda login: people.user(call.state, login))


_REPO = "/repos/<owner>/<name>"
_PULL = f"{_REPO}/pulls/<int:number>"
_REVIEW = f"{_PULL}/reviews/<int:review>"
ROUTES = (
    Route("GET", f"{_REPO}/pulls", list_pulls, Role.READ),
    Route("POST", f"{_REPO}/pulls", create_pull, Role.READ),
    Route("GET", _PULL, get_pull, Role.READ),
    Route("PATCH", _PULL, update_pull, Role.READ),
    Route("GET", f"{_PULL}/files", list_files, Role.READ),
    Route("GET", f"{_PULL}/commits", list_pull_commits, Role.READ),
    Route("GET", f"{_PULL}/comments", review_comments, Role.READ),
    Route("GET", f"{_PULL}/merge", is_merged, Role.READ),
    Route("PUT", f"{_PULL}/merge", merge_pull, Role.READ),
    Route("PUT", f"{_PULL}/update-branch", update_branch, Role.READ),
    Route("GET", f"{_PULL}/reviews", list_reviews, Role.READ),
    Route("POST", f"{_PULL}/reviews", create_review, Role.READ),
    Route("GET", _REVIEW, get_review, Role.READ),
    Route("PUT", _REVIEW, edit_review, Role.READ),
    Route("PUT", f"{_REVIEW}/dismissals", dismiss_review, Role.READ),
    Route("GET", f"{_PULL}/requested_reviewers", requested_reviewers, Role.READ),
    Route("POST", f"{_PULL}/requested_reviewers", request_reviewers, Role.READ),
    Route("DELETE", f"{_PULL}/requested_reviewers", unrequest_reviewers, Role.READ),
)
