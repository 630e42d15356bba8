"""Pages to look at: changes, one change with its verdict, plan and history, one run with its growing log.

Read-only; everything shown was redacted when it was stored. Markdown is rendered and sanitised here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import nh3
from flask import Flask, Response, abort, jsonify, render_template, request
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from werkzeug.exceptions import NotFound

from bot.core.config.server import rules_for
from bot.core.errors import KeyMismatch
from bot.core.face.address import reaching
from bot.core.face.compose import compose
from bot.core.face.effects import Detail
from bot.core.face.explain import explain
from bot.core.face.markdown import visible
from bot.core.face.model import Face
from bot.core.face.render import render
from bot.core.gate import judge
from bot.core.model import ChangeRef
from bot.core.runs import Run
from bot.flow.gather import snapshot_of, view_from_here
from bot.flow.homes import called
from bot.flow.services import Services
from bot.ports import AuditRow, Budget, ChangeRow
from bot.web.metrics import scrape
from bot.web.webhooks import Check, add_health, nothing_more

LogReader = Callable[[str, int], "tuple[str, int, bool]"]
"""(run id, after which piece) -> (text, last piece, is it finished)."""

UNTOLD = frozenset({"artifact", "tree", "rules", "run", "record", "seconds"})
"""Details of the record that say nothing to a reader of the page; `headgate audit export` has them all."""

PAGE_LIMIT = 2_000_000
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TAGS = nh3.ALLOWED_TAGS | {"details", "summary", "sub", "table", "thead", "tbody", "tr", "th", "td", "del", "input"}

LINE_KINDS = {"+": "added", "-": "removed"}


def _coloured(code: str, language: str, _: str) -> str:
    """The lines of a diff, each known by its first character; other code as it is."""
    if language != "diff":
        return ""
    lines = ((LINE_KINDS.get(line[:1]), escape(line)) for line in code.split("\n"))
    return "\n".join(f'<span class="{kind}">{line}</span>' if kind else line for kind, line in lines)


_markdown = MarkdownIt("commonmark", {"html": True, "breaks": True, "highlight": _coloured}).enable(
    ["table", "strikethrough"]
)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a change's history."""

    at: datetime
    who: str
    what: str
    detail: str


def to_html(markdown: str) -> Markup:
    """Markdown as safe HTML: nothing executable, no images from elsewhere, no styles."""
    cleaned = nh3.clean(
        _markdown.render(markdown),
        tags=TAGS - {"img"},
        attributes={"a": {"href", "title"}, "code": {"class"}, "details": {"open"}, "td": {"align"}, "th": {"align"}},
        allowed_classes={"span": set(LINE_KINDS.values())},
        url_schemes={"http", "https", "mailto"},
    )
    return Markup(cleaned)  # noqa: S704 - nh3 has just sanitised it


def to_line(markdown: str) -> Markup:
    """One line of Markdown as safe HTML, without a paragraph around it."""
    return Markup(nh3.clean(_markdown.renderInline(markdown), tags={"code", "em"}))  # noqa: S704 - as above


def create_app(services: Services, read_log: LogReader, ready: Check = nothing_more) -> Flask:
    """The pages, the JSON API and the metrics; listens on loopback unless the operator says otherwise."""
    app = Flask(__name__)
    app.jinja_env.finalize = _shown
    app.jinja_env.filters["clock"] = lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""
    app.jinja_env.filters["line"] = to_line
    app.jinja_env.filters["called"] = lambda ref: _called(services, ref)
    app.after_request(_secure)
    add_health(app, services.store, services.queue, ready)
    _add_pages(app, services)
    _add_api(app, services, read_log)
    app.register_error_handler(NotFound, _missing)
    return app


def _shown(value: object) -> object:
    """What a template says of anybody's text: nothing in it hides, or turns the direction of what is around it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _called(services: Services, ref: ChangeRef) -> str:
    """A change's number as people of its host write it."""
    return f"{view_from_here(services, ref.repo.host).can.mark}{ref.number}"


def _missing(_: NotFound) -> tuple[Response | str, int]:
    """For people a page with a way on, for programs JSON."""
    if request.path.startswith("/api/"):
        return jsonify(error="not found"), 404
    return render_template("missing.html"), 404


def _secure(response: Response) -> Response:
    response.headers.update(SECURITY_HEADERS)
    return response


def _add_pages(app: Flask, services: Services) -> None:
    @app.get("/")
    def changes() -> str:
        rows = services.store.list_changes(limit=100)
        paused = services.store.setting("paused") or ""
        return render_template("changes.html", rows=rows, paused=paused, instance=services.settings.instance)

    @app.get("/changes/<host>/<path:repo>/<int:number>")
    def change(host: str, repo: str, number: int) -> str:
        row = _row(services, host, repo, number)
        face, tree = _verdict(services, row)
        runs = tuple(reversed(services.store.runs_of(row.ref)))
        names = called(services.store, str(row.ref))
        rows = [entry for name in names for entry in services.store.audit_rows(name)]
        history = [_event(entry) for entry in reversed(rows)]
        return render_template("change.html", row=row, face=face, tree=tree, runs=runs, history=history)

    @app.get("/changes/<host>/<path:repo>/<int:number>/runs/<run_id>")
    def run(host: str, repo: str, number: int, run_id: str) -> str:
        row = _row(services, host, repo, number)
        return render_template("run.html", row=row, run=_run(services, row.ref, run_id))


def _add_api(app: Flask, services: Services, read_log: LogReader) -> None:
    @app.get("/metrics")
    def metrics() -> Response:
        def budgets() -> dict[str, Budget]:
            return {name: host.budget() for name, host in services.hosts.items()}

        text = scrape(services.store, services.queue, services.clock, budgets)
        return Response(text, mimetype="text/plain; version=0.0.4")

    @app.get("/api/changes")
    def api_changes() -> Response:
        return jsonify([_change_json(row) for row in services.store.list_changes(limit=100)])

    @app.get("/api/runs/<run_id>")
    def api_run(run_id: str) -> Response:
        found = services.store.run(run_id)
        if found is None:
            abort(404)
        return jsonify(_run_json(found))

    @app.get("/api/runs/<run_id>/log")
    def api_log(run_id: str) -> Response:
        found = services.store.run(run_id)
        if found is None:
            abort(404)
        try:
            text, last, finished = read_log(run_id, request.args.get("after", -1, type=int))
        except KeyMismatch as error:
            # Nothing of a log is shown whose pieces are not those that were written.
            answer = jsonify(
                text=f"This log cannot be read: {error}\n", last=-1, finished=True, state=found.state.value
            )
            answer.status_code = 500
            return answer
        return jsonify(text=text, last=last, finished=finished or found.state.over, state=found.state.value)


def _row(services: Services, host: str, repo: str, number: int) -> ChangeRow:
    try:
        row = services.store.change(ChangeRef.parse(f"{host}/{repo}!{number}"))
    except ValueError:
        row = None
    if row is None or row.memory.host is None:
        abort(404)
    return row


def _run(services: Services, ref: ChangeRef, run_id: str) -> Run:
    found = services.store.run(run_id)
    if found is None or found.change != ref:
        abort(404)
    return found


def _verdict(services: Services, row: ChangeRow) -> tuple[Markup, Markup]:
    """The face as the host shows it, and the tree of reasons behind it; both from the store alone."""
    rules = rules_for(services.settings, row.ref.repo)
    if rules is None:
        return Markup(""), Markup("")
    view = view_from_here(services, row.ref.repo.host)
    snapshot = snapshot_of(services, rules, row.ref, row.memory, None, view)
    verdict = judge(snapshot)
    face = compose(snapshot, verdict)
    texts = (_whole(face, snapshot.instance) if face else "", explain(verdict))
    shown, tree = (to_html(reaching(text, slash_commands=snapshot.slash_commands)) for text in texts)
    return shown, tree


def _whole(face: Face, instance: str) -> str:
    """Everything on one page, long values too."""
    (page,) = render(face, limit=PAGE_LIMIT, max_pages=1, instance=instance, detail=Detail.WHOLE)
    return page


def _event(row: AuditRow) -> Event:
    told = (
        (key, value) for key, value in row.entry.detail.items() if key not in UNTOLD and value not in ("", [], {})
    )
    detail = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in told)
    return Event(row.at, row.entry.actor, row.entry.action.replace(".", " "), detail[:400])


def _short(value: object) -> str:
    """A value for reading: identifiers by their beginning, lists and pairs without brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_short(each) for each in value)
    return re.sub(r"\b(?=[a-z]*[0-9])[0-9a-z]{20,}\b", lambda found: found.group()[:8], str(value))


def _change_json(row: ChangeRow) -> dict[str, object]:
    change = row.memory.host.change if row.memory.host else None
    return {
        "change": str(row.ref),
        "state": row.state,
        "title": change.title if change else "",
        "head": change.head_sha if change else "",
        "updated_at": row.updated_at.isoformat(),
    }


def _run_json(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "change": str(run.change),
        "kind": run.kind.value,
        "project": run.project.name,
        "environment": run.project.environment,
        "state": run.state.value,
        "commit": run.commit,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "fingerprint": run.plan.fingerprint if run.plan else None,
        "failure": run.failure.message if run.failure else None,
    }
