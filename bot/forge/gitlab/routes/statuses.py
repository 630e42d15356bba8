"""Commit statuses and the pipelines they make."""

from __future__ import annotations

from bot.forge import pipelines
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import report as shapes
from bot.forge.model import Refusal, Refused, Role
from bot.forge.report_model import Pipeline

_LONGEST = 255


def create_status(call: Call, sha: str) -> Result:
    """``POST /projects/:id/statuses/:sha``: 400 for a step the standing status cannot take."""
    word = call.text("state") or ""
    if word not in pipelines.WORDS:
        raise Declined(400, "state is missing" if not word else "state does not have a valid value", "error")
    name = call.text("name") or call.text("context") or "default"
    for key in ("name", "context", "description", "target_url"):
        if len(call.text(key) or "") > _LONGEST:
            raise Declined(400, f"{key} is too long (maximum is 255 characters)", "error")
    url = call.text("target_url")
    if url is not None and not url.startswith(("http://", "https://")):
        raise Declined(400, {"target_url": ["is blocked: Only allowed schemes are http, https"]})
    coverage = call.text("coverage")
    said = pipelines.Report(
        word,
        name,
        call.text("ref"),
        call.number("pipeline_id"),
        call.text("description"),
        url,
        float(coverage) if coverage else None,
    )
    try:
        made = pipelines.report(call.state, call.repo, call.actor, sha, said)
    except Refused as refused:
        if refused.kind is Refusal.NOT_FOUND:
            raise Declined(404, f"404 {refused.reason} Not Found") from None
        raise
    return Answer(shapes.status(call.state, made), 201)


def list_statuses(call: Call, sha: str) -> Result:
    """``GET /projects/:id/repository/commits/:sha/statuses``: over all refs; retried ones only with ``all``."""
    full = call.state.git(call.repo).resolve(sha)
    if full is None:
        raise Declined(404, "404 Commit Not Found")
    ref, name, stage = call.text("ref"), call.text("name"), call.text("stage")
    number, everything = call.number("pipeline_id"), call.flag("all")
    rows = [
        status
        for status in call.repo.statuses
        if status.sha == full
        and (everything or not status.retried)
        and ref in (None, status.ref)
        and name in (None, status.context)
        and stage in (None, "external")
        and number in (None, status.pipeline_id)
    ]
    if call.one_of("sort", "asc", "desc") == "desc":
        rows.reverse()
    return Page(rows, lambda status: shapes.status(call.state, status))


def list_pipelines(call: Call) -> Result:
    """``GET /projects/:id/pipelines``."""
    ref, sha, source = call.text("ref"), call.text("sha"), call.text("source")
    rows = [
        one
        for one in call.repo.pipelines.values()
        if ref in (None, one.ref) and sha in (None, one.sha) and source in (None, one.source)
    ]
    wanted = call.text("status")
    if wanted is not None:
        rows = [one for one in rows if pipelines.word_of(pipelines.statuses_of(call.repo, one)) == wanted]
    if call.one_of("sort", "asc", "desc") != "asc":
        rows.reverse()
    return Page(rows, lambda one: shapes.pipeline(call.state, call.repo, one))


def _pipeline(call: Call, pipeline_id: int) -> Pipeline:
    found = call.repo.pipelines.get(pipeline_id)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found


def get_pipeline(call: Call, pipeline_id: int) -> Result:
    """``GET /projects/:id/pipelines/:pipeline_id``."""
    return shapes.pipeline_full(call.state, call.repo, _pipeline(call, pipeline_id))


def latest_pipeline(call: Call) -> Result:
    """``GET /projects/:id/pipelines/latest``."""
    ref = call.text("ref") or call.repo.default_branch
    sha = call.state.git(call.repo).resolve(ref)
    found = pipelines.pipelines_of(call.repo, sha or "", (ref,))
    if not found:
        raise Refused("Not Found", Refusal.FORBIDDEN)
    return shapes.pipeline_full(call.state, call.repo, found[0])


ROUTES = (
    Route("POST", "projects/<id>/statuses/<sha>", create_status, Role.WRITE),
    Route("GET", "projects/<id>/repository/commits/<sha>/statuses", list_statuses),
    Route("GET", "projects/<id>/pipelines", list_pipelines),
    Route("GET", "projects/<id>/pipelines/latest", latest_pipeline),
    Route("GET", "projects/<id>/pipelines/<int:pipeline_id>", get_pipeline),
)
