"""Every request to the GitLab face passes here: which endpoint, by whom, may they; answers are dressed here too."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode

from flask import Blueprint, Response, request

from bot.forge.git_http import basic_token
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes.people import Json
from bot.forge.model import Actor, Refusal, Refused, Repo
from bot.forge.reception import receive
from bot.forge.state import State
from bot.forge.trouble import Blow

PREFIX = "/api/v4"
_STATUS = {
    Refusal.FORBIDDEN: (403, "403 Forbidden"),
    Refusal.NOT_MERGEABLE: (405, "405 Method Not Allowed"),
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MAX_PER_PAGE = 100
_PER_PAGE = 20
_PART = re.compile(r"<(?:(int):)?(\w+)>")


class Router:
    """Finds the endpoint by the segments of the path as it was sent, where ``%2F`` belongs to a name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(route, route.rule.split("/")) for route in routes]

    def find(self, method: str, parts: list[str]) -> tuple[Route, dict[str, Any]] | int:
        """The endpoint and what its path names, else the status to refuse with."""
        status = 404
        for route, rule in self._routes:
            found = _matched(rule, parts)
            if found is not None and route.method == method:
                return route, found
            if found is not None:
                status = 405
        return status


def _matched(rule: list[str], parts: list[str]) -> dict[str, Any] | None:
    if len(rule) != len(parts):
        return None
    found: dict[str, Any] = {}
    for want, got in zip(rule, parts, strict=True):
        hole = _PART.fullmatch(want)
        if hole is None:
            if want != got:
                return None
        elif hole[1] is None:
            found[hole[2]] = got
        elif got.isdecimal() and len(got) < 19:
            found[hole[2]] = int(got)
        else:
            return None
    return found


def api_blueprint(state: State, routes: Iterable[Route]) -> Blueprint:
    """The API below its prefix."""
    blueprint = Blueprint("gitlab", __name__, url_prefix=PREFIX)
    router = Router(routes)

    def view(rest: str = "") -> Response:
        del rest  # it has lost the difference between a slash and %2F
        return receive(state, _refusal, lambda login: _answer(state, router, login), token_of_request() or "")

    blueprint.add_url_rule("/<path:rest>", "api", view, methods=_METHODS, provide_automatic_options=False)
    blueprint.add_url_rule("/", "root", view, methods=_METHODS, provide_automatic_options=False)
    return blueprint


def _segments() -> list[str]:
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
    path = raw.partition("?")[0].partition(f"{PREFIX}/")[2]
    return [unquote(part) for part in path.rstrip("/").split("/")]


def _refusal(blow: Blow) -> Response:
    if blow.status == 429:  # GitLab's limiter answers before the application, in plain text
        return Response("Retry later\n", 429, content_type="text/plain")
    return _json({"message": f"{blow.status} {blow.message}"}, blow.status)


def _answer(state: State, router: Router, login: list[str]) -> Response:
    with state.lock:
        token = token_of_request()
        actor = state.actor_of(token) if token else None
        if actor is None:
            return _json({"message": "401 Unauthorized"}, 401)
        login.append(actor.login)
        used, limit = state.trouble.spend(actor.login, _reset(state.now()))
        if used > limit:
            answer = _refusal(Blow(429, ""))
            answer.headers["Retry-After"] = str(_reset(state.now()) - int(state.now().timestamp()))
        else:
            answer = _handled(state, router, actor)
        _limit_headers(answer, used, limit, _reset(state.now()))
        return answer


def token_of_request() -> str | None:
    """The token in any of the places where GitLab looks for one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("PRIVATE-TOKEN") or request.args.get("private_token") or basic_token()


def _handled(state: State, router: Router, actor: Actor) -> Response:
    found = router.find(request.method, _segments())
    if isinstance(found, int):
        words = "404 Not Found" if found == 404 else "405 Method Not Allowed"
        return _json({"error" if found == 404 else "message": words}, found)
    route, parts = found
    if route.paid and not state.paid:
        words = "404 Not Found" if route.unlicensed == 404 else "401 Unauthorized"
        return _json({"message": words}, route.unlicensed)
    try:
        target = _project(state, actor, route, parts) if route.rule.startswith("projects/<id>") else None
        return _dressed(route.handler(Call(state, actor, _params(), target), **parts))
    except _Moved as moved:
        return _moved(moved.repo)
    except Declined as declined:
        return _json(declined.body, declined.status)
    except Refused as refused:
        return _refused(refused, parts)


class _Moved(Exception):
    """A project is asked for by a name it had."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo.full_name)
        self.repo = repo


def _moved(repo: Repo) -> Response:
    """GitLab leads reads on to the project's number, and takes no writes under an old name."""
    if request.method != "GET":
        return _json({"message": "Non GET methods are not allowed for moved projects"}, 405)
    rest = "/".join(quote(part, safe="") for part in _segments()[2:])
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    answer = _json({"message": "This resource has been moved permanently"}, 301)
    path = f"{PREFIX}/projects/{repo.id}{f'/{rest}' if rest else ''}{query}"
    answer.headers["Location"] = f"{request.host_url.rstrip('/')}{path}"
    return answer


def _refused(refused: Refused, parts: Json) -> Response:
    match refused.kind:
        case Refusal.NOT_FOUND:
            what = next((word for key, word in _NOUNS.items() if key in parts), "")
            return _json({"message": f"404 {what}Not Found"}, 404)
        case Refusal.CONFLICT:
            return _json({"message": refused.reason}, 409)
        case Refusal.INVALID:
            return _json({"message": refused.reason}, 400)
        case _:
            status, words = _STATUS[refused.kind]
            return _json({"message": words}, status)


_NOUNS = {"note_id": "Note ", "hook_id": "Hook ", "sha": "Commit ", "branch": "Branch "}


def _project(state: State, actor: Actor, route: Route, parts: dict[str, Any]) -> Repo:
    name = parts.pop("id")
    found = next((repo for repo in state.repos.values() if str(repo.id) == name), None)
    if found is None and name in state.moved:
        raise _Moved(state.repo(name))
    try:
        repo = found if found is not None else state.repo(name)
        state.require(repo, actor, route.role)
    except Refused as refused:
        if refused.kind is Refusal.NOT_FOUND:
            raise Declined(404, "404 Project Not Found") from None
        raise
    return repo


def _params() -> Json:
    params: Json = {key: values if key.endswith("[]") else values[-1] for key, values in request.args.lists()}
    if request.mimetype == "application/json" and request.get_data():
        try:
            body = json.loads(request.get_data())
        except ValueError:
            raise Declined(400, "The request body is not valid JSON", "error") from None
        if not isinstance(body, dict):
            raise Declined(400, "The request body must be an object", "error")
        return params | body
    return params | {key: values if key.endswith("[]") else values[-1] for key, values in request.form.lists()}


def _dressed(result: Result) -> Response:
    match result:
        case Page():
            return _paged(result)
        case Answer(None, status):
            return Response(status=status)
        case Answer(str() as text, status):
            return Response(text, status, content_type="text/plain")
        case Answer(body, status):
            return _json(body, status)
        case _:
            return _json(result, 200)


def _json(body: object, status: int) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), status, mimetype="application/json")


def _reset(now: datetime) -> int:
    return (int(now.timestamp()) // 60 + 1) * 60


def _limit_headers(answer: Response, used: int, limit: int, reset: int) -> None:
    answer.headers["RateLimit-Limit"] = str(limit)
    answer.headers["RateLimit-Name"] = "throttle_authenticated_api"
    answer.headers["RateLimit-Observed"] = str(used)
    answer.headers["RateLimit-Remaining"] = str(max(0, limit - used))
    answer.headers["RateLimit-Reset"] = str(reset)


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 9 else default


def _paged(page: Page) -> Response:
    size, at, total = min(_number("per_page", _PER_PAGE), _MAX_PER_PAGE), _number("page", 1), len(page.items)
    answer = _json([page.show(item) for item in page.items[(at - 1) * size : at * size]], 200)
    last = max(1, math.ceil(total / size))
    links = {"first": 1, "last": last}
    links |= {"prev": at - 1} if at > 1 else {}
    links |= {"next": at + 1} if at < last else {}
    answer.headers["Link"] = ", ".join(f'<{_page_url(number, size)}>; rel="{rel}"' for rel, number in links.items())
    shown = {"X-Page": at, "X-Per-Page": size, "X-Total": total, "X-Total-Pages": last}
    for name, value in {**shown, "X-Next-Page": links.get("next", ""), "X-Prev-Page": links.get("prev", "")}.items():
        answer.headers[name] = str(value)
    return answer


def _page_url(number: int, size: int) -> str:
    path = str(request.environ.get("RAW_URI") or request.path).partition("?")[0]
    query = {**request.args.to_dict(), "page": str(number), "per_page": str(size)}
    return f"{request.host_url.rstrip('/')}{path}?{urlencode(query)}"
