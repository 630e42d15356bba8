"""The merge, now or when nothing stands against it any more, and the rebase."""

from __future__ import annotations

from bot.forge import merging
from bot.forge.gitlab import standing, waiting
from bot.forge.gitlab.call import Answer, Call, Declined, Result, Route
from bot.forge.gitlab.shapes import merge_request as shapes
from bot.forge.model import Pull, Refusal, Refused, Role
from bot.forge.rules import may_merge


def merge(call: Call, iid: int) -> Result:
    """``PUT /projects/:id/merge_requests/:iid/merge``: 401 may not, 405 cannot, 409 other head, 422 failed."""
    pull = call.pull(iid)
    if not may_merge(call.state, call.repo, call.actor, pull.base_ref):
        raise Declined(401, "401 Unauthorized")
    sha = call.text("sha")
    if sha is not None and pull.open and sha != pull.head_sha:
        raise Declined(409, f"SHA does not match HEAD of source branch: {pull.head_sha}")
    later = bool(call.flag("merge_when_pipeline_succeeds")) or bool(call.flag("auto_merge"))
    reasons = standing.reasons(call.state, call.repo, pull)
    wish = _wish(call, pull)
    if later and reasons and set(reasons) <= standing.CURABLE:
        waiting.order(call.state, call.actor, pull, wish)
        return shapes.merge_request_full(call.state, call.repo, pull, call.actor)
    if reasons == ["conflict"]:
        raise Declined(422, "Branch cannot be merged")
    if reasons:
        raise Declined(405, "405 Method Not Allowed")
    pull.remove_source = pull.remove_source or bool(call.flag("should_remove_source_branch"))
    try:
        waiting.merge_now(call.state, call.repo, call.actor, pull, wish)
    except Refused as refused:
        if refused.kind is Refusal.NOT_MERGEABLE:
            raise Declined(422, "Branch cannot be merged") from None
        raise
    return shapes.merge_request_full(call.state, call.repo, pull, call.actor)


def _wish(call: Call, pull: Pull) -> merging.MergeWish:
    squash = call.flag("squash")
    pull.squash = pull.squash if squash is None else squash
    message = call.text("squash_commit_message") if pull.squash else call.text("merge_commit_message")
    return waiting.wish_for(call.repo, pull, message)


def cancel(call: Call, iid: int) -> Result:
    """``POST …/cancel_merge_when_pipeline_succeeds``."""
    pull = call.pull(iid)
    if pull.waiting_merge is None:
        raise Declined(406, "406 Not Acceptable")
    waiting.cancel(call.state, pull)
    return Answer(shapes.merge_request_full(call.state, call.repo, pull, call.actor), 201)


def rebase(call: Call, iid: int) -> Result:
    """``PUT /projects/:id/merge_requests/:iid/rebase``; done at once, though GitLab does it in the background."""
    pull = call.pull(iid)
    merging.rebase_source(call.state, call.repo, call.actor, pull)
    return Answer({"rebase_in_progress": True}, 202)


def merge_ref(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_requests/:iid/merge_ref``."""
    pull = call.pull(iid)
    merging.obstacles(call.state, call.repo, pull)
    if pull.conflicted or pull.merge_sha is None:
        raise Declined(400, "Merge request is not mergeable")
    return {"commit_id": pull.merge_sha}


def add_to_train(call: Call, iid: int) -> Result:
    """``POST /projects/:id/merge_trains/merge_requests/:iid``."""
    pull = call.pull(iid)
    if not call.repo.settings.trains:
        raise Refused("Forbidden", Refusal.FORBIDDEN)
    sha = call.text("sha")
    if sha is not None and sha != pull.head_sha:
        raise Declined(409, f"SHA does not match HEAD of source branch: {pull.head_sha}")
    if set(standing.reasons(call.state, call.repo, pull)) - standing.CURABLE:
        raise Declined(400, "Failed to create merge train car")
    waiting.order(call.state, call.actor, pull, _wish(call, pull))
    call.state.settle_waiting()
    return Answer([waiting.car(call.state, call.repo, pull)], 201)


def train_car(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_trains/merge_requests/:iid``."""
    pull = call.pull(iid)
    if pull.waiting_merge is None and pull.merged_at is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return waiting.car(call.state, call.repo, pull)


def train(call: Call) -> Result:
    """``GET /projects/:id/merge_trains``."""
    return [waiting.car(call.state, call.repo, p) for p in call.repo.pulls if p.waiting_merge is not None]


_ONE = "projects/<id>/merge_requests/<int:iid>"
ROUTES = (
    Route("PUT", f"{_ONE}/merge", merge),
    Route("POST", f"{_ONE}/cancel_merge_when_pipeline_succeeds", cancel, Role.WRITE),
    Route("PUT", f"{_ONE}/rebase", rebase),
    Route("GET", f"{_ONE}/merge_ref", merge_ref),
    Route("GET", "projects/<id>/merge_trains", train, paid=True),
    Route("GET", "projects/<id>/merge_trains/merge_requests/<int:iid>", train_car, paid=True),
    Route("POST", "projects/<id>/merge_trains/merge_requests/<int:iid>", add_to_train, Role.WRITE, paid=True),
)
