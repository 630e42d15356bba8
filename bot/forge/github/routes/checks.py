"""Statuses and check runs of commits."""

from __future__ import annotations

from typing import Any

from bot.forge import reports
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.shapes import report as shapes
from bot.forge.model import Refused, Role
from bot.forge.report_model import Annotation, CheckRun
from bot.forge.rules import newest_check_runs


def create_status(call: Call, sha: str) -> Result:
    """``POST /repos/{owner}/{name}/statuses/{sha}``."""
    status = reports.set_status(
        call.state,
        call.repo,
        call.actor,
        sha,
        call.text("context") or "default",
        call.need("state"),
        call.text("description"),
        call.text("target_url"),
    )
    return Answer(shapes.status(call.state, call.repo, status), 201)


def list_statuses(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/statuses/{ref}``."""
    sha = reports.commit_of(call.state, call.repo, ref)
    found = [status for status in reversed(call.repo.statuses) if status.sha == sha]
    return Page(found, lambda status: shapes.status(call.state, call.repo, status))


def combined_status(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/commits/{ref}/status``."""
    return shapes.combined(call.state, call.repo, reports.commit_of(call.state, call.repo, ref))


def _annotation(wish: dict[str, Any]) -> Annotation:
    try:
        return Annotation(
            path=wish["path"],
            start_line=wish["start_line"],
            end_line=wish["end_line"],
            level=wish["annotation_level"],
            message=wish["message"],
            title=wish.get("title"),
            start_column=wish.get("start_column"),
            end_column=wish.get("end_column"),
            raw_details=wish.get("raw_details"),
        )
    except KeyError as missing:
        raise Refused(f'Invalid request. "{missing.args[0]}" wasn\'t supplied.') from None


def _button(wish: dict[str, Any]) -> str:
    """https://docs.github.com/en/rest/checks/runs#create-a-check-run: the most characters of each part."""
    for name, most in (("label", 20), ("description", 40), ("identifier", 20)):
        if not 0 < len(str(wish.get(name, ""))) <= most:
            raise Refused(f"actions: {name} must have 1 to {most} characters")
    return str(wish["identifier"])


def _report(call: Call) -> reports.RunReport:
    output = call.body.get("output") or {}
    return reports.RunReport(
        status=call.text("status"),
        conclusion=call.text("conclusion"),
        details_url=call.text("details_url"),
        external_id=call.text("external_id"),
        title=output.get("title"),
        summary=output.get("summary"),
        text=output.get("text"),
        annotations=tuple(_annotation(item) for item in output.get("annotations") or ()),
        actions=tuple(_button(item) for item in call.body.get("actions") or ()),
    )


def create_run(call: Call) -> Result:
    """``POST /repos/{owner}/{name}/check-runs``."""
    sha, name = call.need("head_sha"), call.need("name")
    run = reports.create_check_run(call.state, call.repo, call.actor, sha, name, _report(call))
    return Answer(shapes.check_run(call.state, call.repo, run), 201)


def update_run(call: Call, number: int) -> Result:
    """``PATCH /repos/{owner}/{name}/check-runs/{number}``."""
    run = reports.update_check_run(call.state, call.repo, call.actor, number, _report(call))
    return shapes.check_run(call.state, call.repo, run)


def get_run(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/check-runs/{number}``."""
    return shapes.check_run(call.state, call.repo, reports.find_check_run(call.repo, number))


def run_annotations(call: Call, number: int) -> Result:
    """``GET /repos/{owner}/{name}/check-runs/{number}/annotations``."""
    run = reports.find_check_run(call.repo, number)
    return Page(run.annotations, lambda item: shapes.annotation(call.state, call.repo, run.sha, item))


def list_runs(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/commits/{ref}/check-runs``."""
    sha = reports.commit_of(call.state, call.repo, ref)
    every = [run for run in reversed(call.repo.check_runs.values()) if run.sha == sha]
    found = every if call.query.get("filter") == "all" else newest_check_runs(call.repo, sha)
    wanted = call.query

    def keep(run: CheckRun) -> bool:
        app = wanted.get("app_id")
        return wanted.get("check_name") in (None, run.name) and app in (None, str(run.app_id))

    kept = [run for run in found if keep(run)]
    return Page(kept, lambda run: shapes.check_run(call.state, call.repo, run), wrap="check_runs")


_REPO = "/repos/<owner>/<name>"
ROUTES = (
    Route("POST", f"{_REPO}/statuses/<sha>", create_status, Role.READ),
    Route("GET", f"{_REPO}/statuses/<path:ref>", list_statuses, Role.READ),
    Route("GET", f"{_REPO}/commits/<path:ref>/statuses", list_statuses, Role.READ),
    Route("GET", f"{_REPO}/commits/<path:ref>/status", combined_status, Role.READ),
    Route("GET", f"{_REPO}/commits/<path:ref>/check-runs", list_runs, Role.READ),
    Route("POST", f"{_REPO}/check-runs", create_run, Role.READ),
    Route("GET", f"{_REPO}/check-runs/<int:number>", get_run, Role.READ),
    Route("PATCH", f"{_REPO}/check-runs/<int:number>", update_run, Role.READ),
    Route("GET", f"{_REPO}/check-runs/<int:number>/annotations", run_annotations, Role.READ),
)
