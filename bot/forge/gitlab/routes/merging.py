"""The merge, now or when nothing stands against it any more, and the rebase."""

from __future__ import annotations

from bot.forge import merging
from bot.forge.gitlab import standing, trains, waiting
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.landing import wish_for
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
    return wish_for(call.repo, pull, message)


def cancel(call: Call, iid: int) -> Result:
    """``POST …/cancel_merge_when_pipeline_succeeds``."""
    pull = call.pull(iid)
    if call.actor.login != pull.author and not may_merge(call.state, call.repo, call.actor, pull.base_ref):
        raise Declined(401, "401 Unauthorized")
    if pull.waiting_merge is None:
        raise Declined(406, "406 Not Acceptable")
    waiting.cancel(call.state, call.repo, call.actor, pull)
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
    """``POST /projects/:id/merge_trains/merge_requests/:iid``: 201 with the whole train, 202 when it boards later."""
    pull = call.pull(iid)
    _with_trains(call)
    sha = call.text("sha")
    if sha is not None and sha != pull.head_sha:
        raise Declined(409, f"SHA does not match HEAD of source branch: {pull.head_sha}")
    if not may_merge(call.state, call.repo, call.actor, pull.base_ref):
        raise Declined(401, "401 Unauthorized")
    later = bool(call.flag("auto_merge")) or bool(call.flag("when_pipeline_succeeds"))
    if (
        pull.waiting_merge is None and pull.null_reads == 0
    ):  # while it still looks, it takes the order and does nothing
        _board(call, pull, later=later)
    call.state.settle_waiting()
    boarded = pull.waiting_merge is None or pull.waiting_merge.car is not None
    return Answer(trains.cars(call.state, call.repo, pull.base_ref), 201 if boarded else 202)


def _board(call: Call, pull: Pull, *, later: bool) -> None:
    """Now, when it could be merged and its pipeline has ended; what waits for that boards only ``later``."""
    ready = trains.ready(call.state, call.repo, pull)
    hopeless = set(standing.reasons(call.state, call.repo, pull)) - standing.CURABLE
    if hopeless or ready == later or standing.pipeline_word(call.state, call.repo, pull) is None:
        raise Declined(400, "Failed to merge")
    wish = _wish(call, pull)
    if later:
        waiting.order(call.state, call.actor, pull, wish)
        return
    try:
        trains.board(call.state, call.repo, call.actor, pull, waiting.ordered(call.actor, pull, wish))
    except Refused as refused:
        raise Declined(400, "Failed to merge") from refused


def _with_trains(call: Call) -> None:
    if not call.repo.settings.trains:
        raise Refused("Forbidden", Refusal.FORBIDDEN)


def train_car(call: Call, iid: int) -> Result:
    """``GET /projects/:id/merge_trains/merge_requests/:iid``; who fell off is not there any more."""
    pull = call.pull(iid)
    _with_trains(call)
    on = pull.waiting_merge is not None and pull.waiting_merge.car is not None
    if not on and pull.merged_at is None:
        raise Declined(404, "404 Merge Train Merge Request Not Found")
    return trains.shape(call.state, call.repo, pull)


def train(call: Call, branch: str | None = None) -> Result:
    """``GET /projects/:id/merge_trains``, and the one of a branch."""
    _with_trains(call)
    branches = [branch] if branch is not None else sorted({pull.base_ref for pull in call.repo.pulls})
    found = [car for each in branches for car in trains.cars(call.state, call.repo, each)]
    landed = [pull for pull in call.repo.pulls if pull.merged_at is not None and pull.base_ref in branches]
    done = [trains.shape(call.state, call.repo, pull) for pull in reversed(landed)]
    match call.one_of("scope", "active", "complete"):
        case "active":
            rows = found
        case "complete":
            rows = done
        case _:
            rows = found + done
    return Page(rows if call.one_of("sort", "asc", "desc") != "asc" else rows[::-1], lambda row: row)


_ONE = "projects/<id>/merge_requests/<int:iid>"
ROUTES = (
    Route("PUT", f"{_ONE}/merge", merge),
    Route("POST", f"{_ONE}/cancel_merge_when_pipeline_succeeds", cancel, Role.WRITE),
    Route("PUT", f"{_ONE}/rebase", rebase),
    Route("GET", f"{_ONE}/merge_ref", merge_ref),
    Route("GET", "projects/<id>/merge_trains", train, paid=True),
    Route("GET", "projects/<id>/merge_trains/<branch>", train, paid=True),
    Route("GET", "projects/<id>/merge_trains/merge_requests/<int:iid>", train_car, paid=True),
    Route("POST", "projects/<id>/merge_trains/merge_requests/<int:iid>", add_to_train, Role.WRITE, paid=True),
)
