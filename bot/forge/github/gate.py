"""Every API request passes here: who is it, may it, is the host in a bad mood; and every answer is dressed here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jwt
from flask import Blueprint, Response, request

from bot.forge.git_http import basic_token
from bot.forge.github.call import Answer, Call, Page, Result, Route
from bot.forge.github.routes import rulesets
from bot.forge.github.routes.people import next_hour
from bot.forge.github.shapes.people import Json
from bot.forge.model import Actor, App, Refusal, Refused, Repo
from bot.forge.reception import receive
from bot.forge.state import State
from bot.forge.trouble import Blow

_DOCS = "https://docs.github.com/rest"
_STATUS = {
    Refusal.NOT_FOUND: 404,
    Refusal.FORBIDDEN: 403,
    Refusal.INVALID: 422,
    Refusal.CONFLICT: 409,
    Refusal.NOT_MERGEABLE: 405,
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MAX_PER_PAGE = 100
_BY_NAME = "/repos/<owner>/<name>"
_SINCE = {route.rule: "3.11" for route in rulesets.ROUTES} | {f"{_BY_NAME}/activity": "3.11", "/rate_limit": "99"}
"""What older servers lack, or (a limit that nobody set) all of them."""
_MAX_JWT_LIFE_S = 600


def api_blueprint(state: State, routes: tuple[Route, ...], name: str, prefix: str) -> Blueprint:
    """The API below a prefix."""
    blueprint = Blueprint(name, __name__, url_prefix=prefix)
    for at, route in enumerate(routes):
        view = _view(state, route)
        by_number = route.rule.replace(_BY_NAME, "/repositories/<int:repo_id>", 1) if route.role is not None else ""
        for rule in filter(None, dict.fromkeys((route.rule, by_number))):
            view_name = f"{route.handler.__name__}-{at}{'' if rule == route.rule else '-by-number'}"
            blueprint.add_url_rule(rule, view_name, view, methods=[route.method], provide_automatic_options=False)
    for rule in ("/", "/<path:rest>"):
        blueprint.add_url_rule(
            rule, f"unknown-{len(rule)}", _unknown, methods=_METHODS, provide_automatic_options=False
        )
    return blueprint


def _unknown(rest: str = "") -> Response:
    return _error(404, f"Not Found: {rest}" if rest else "Not Found")


def _view(state: State, route: Route) -> Callable[..., Response]:
    def view(**parts: Any) -> Response:
        seen_as = request.headers.get("Authorization", "")
        return receive(state, _refusal, lambda login: _answer(state, route, parts, login), seen_as)

    return view


def _refusal(blow: Blow) -> Response:
    return _json({"message": blow.message, "documentation_url": _DOCS}, blow.status)


def _answer(state: State, route: Route, parts: dict[str, Any], login: list[str]) -> Response:
    with state.lock:
        found = _identity(state)
        if isinstance(found, str):
            return _error(401, found)
        actor, app = found
        login.append(actor.login)
        used, limit = state.trouble.spend(actor.login, next_hour(state.now()))
        if used > limit and not state.enterprise:
            answer = _error(403, f"API rate limit exceeded for {actor.login}.")
        else:
            answer = _handled(state, route, parts, actor, app)
    if answer.status_code == 304:
        used = state.trouble.give_back(actor.login)
    if state.enterprise:
        answer.headers["X-GitHub-Enterprise-Version"] = state.enterprise
    else:
        _limit_headers(answer, min(used, limit), limit, next_hour(state.now()))
    answer.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
    return answer


def _identity(state: State) -> tuple[Actor, App | None] | str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        token = basic_token() or ""
    if not token:
        return "Requires authentication"
    if token.count(".") == 2:
        app = _app_of(state, token.strip())
        return (Actor(app.bot, app.id), app) if app is not None else "A JSON web token could not be decoded"
    actor = state.actor_of(token.strip())
    return (actor, None) if actor is not None else "Bad credentials"


def _app_of(state: State, token: str) -> App | None:
    try:
        issuer = int(jwt.decode(token, options={"verify_signature": False}).get("iss", 0))
        app = state.apps.get(issuer)
        if app is None:
            return None
        options: Any = {"require": ["exp", "iat"]}
        claims = jwt.decode(token, app.public_key, algorithms=["RS256"], leeway=60, options=options)
    except (jwt.InvalidTokenError, ValueError, TypeError):
        return None
    return app if claims["exp"] - claims["iat"] <= _MAX_JWT_LIFE_S + 60 else None


def _handled(state: State, route: Route, parts: dict[str, Any], actor: Actor, app: App | None) -> Response:
    if state.enterprise and _version(state.enterprise) < _version(_SINCE.get(route.rule, "")):
        return _error(404, "Not Found")
    if route.app_only and app is None:
        return _error(401, "A JSON web token could not be decoded")
    if app is not None and not route.app_only:
        return _error(401, "Bad credentials")
    try:
        state.require_admission(actor)
        body = _body()
        target = None
        if route.role is not None:
            target, asked = _target(state, parts)
            state.require(target, actor, route.role)
            if asked in state.moved:
                return _moved(target, asked)
        result = route.handler(Call(state, actor, body, request.args.to_dict(), app, target), **parts)
        return _dressed(result)
    except Refused as refused:
        return _error(_STATUS[refused.kind], refused.reason)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _target(state: State, parts: dict[str, Any]) -> tuple[Repo, str]:
    """The repository, and by which name it was asked for; none by its number."""
    number = parts.pop("repo_id", None)
    if number is None:
        asked = f"{parts.pop('owner')}/{parts.pop('name')}"
        return state.repo(asked), asked
    found = next((repo for repo in state.repos.values() if repo.id == number), None)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return found, ""


def _moved(repo: Repo, asked: str) -> Response:
    """https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects"""
    rest = request.path.partition(f"/repos/{asked}")[2]
    url = f"{request.host_url.rstrip('/')}{request.path.partition('/repos/')[0]}/repositories/{repo.id}{rest}"
    answer = _json({"message": "Moved Permanently", "url": url, "documentation_url": _DOCS}, 301)
    answer.status_code = 301 if request.method == "GET" else 307
    answer.headers["Location"] = url
    return answer


def _body() -> Json:
    data = request.get_data()
    if not data:
        return {}
    try:
        body = json.loads(data)
    except ValueError:
        raise Refused("Problems parsing JSON") from None
    if isinstance(body, list):  # labels may be sent as a bare list
        return {"labels": body}
    if not isinstance(body, dict):
        raise Refused("Body should be a JSON object")
    return body


def _dressed(result: Result) -> Response:
    match result:
        case Page():
            answer = _paged(result)
        case Answer(None, status):
            return Response(status=status)
        case Answer(body, status):
            answer = _json(body, status)
        case _:
            answer = _json(result, 200)
    if request.method == "GET":
        _conditional(answer)
    return answer


def _json(body: object, status: int) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json; charset=utf-8")


def _error(status: int, message: str) -> Response:
    body: Json = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    if status == 422:
        resource = request.path.rpartition("/")[2]
        body = {
            "message": f"Validation Failed: {message}",
            "errors": [{"resource": resource, "code": "custom", "message": message}],
            "documentation_url": _DOCS,
        }
    return _json(body, status)


def _conditional(answer: Response) -> None:
    etag = hashlib.sha256(answer.get_data()).hexdigest()
    answer.headers["ETag"] = f'W/"{etag}"'
    answer.headers["Cache-Control"] = "private, max-age=0"
    if etag in request.headers.get("If-None-Match", ""):
        answer.status_code = 304
        answer.set_data(b"")


def _limit_headers(answer: Response, used: int, limit: int, reset: int) -> None:
    answer.headers["X-RateLimit-Limit"] = str(limit)
    answer.headers["X-RateLimit-Used"] = str(used)
    answer.headers["X-RateLimit-Remaining"] = str(max(0, limit - used))
    answer.headers["X-RateLimit-Reset"] = str(reset)
    answer.headers["X-RateLimit-Resource"] = "core"


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 9 else default


def _paged(page: Page) -> Response:
    per_page = min(_number("per_page", 30), _MAX_PER_PAGE)
    if page.cursor:
        return _from_cursor(page, per_page)
    at = _number("page", 1)
    items = [page.show(item) for item in page.items[(at - 1) * per_page : at * per_page]]
    body: object = items
    if page.wrap is not None:
        body = {"total_count": len(page.items), **page.more, page.wrap: items}
    answer = _json(body, 200)
    last = max(1, -(-len(page.items) // per_page))
    links = {"prev": at - 1, "first": 1} if at > 1 else {}
    links |= {"next": at + 1, "last": last} if at < last else {}
    if links:
        answer.headers["Link"] = ", ".join(f'<{_page_url(number)}>; rel="{rel}"' for rel, number in links.items())
    return answer


def _from_cursor(page: Page, per_page: int) -> Response:
    """Items come newest first and have ids, which are the cursors: what is added meanwhile moves no page."""
    after = _number(page.cursor, 0) if page.cursor in request.args else None
    left = [item for item in page.items if after is None or item.id < after]
    answer = _json([page.show(item) for item in left[:per_page]], 200)
    if len(left) > per_page:
        answer.headers["Link"] = f'<{_page_url(left[per_page - 1].id, page.cursor)}>; rel="next"'
    return answer


def _page_url(number: int, name: str = "page") -> str:
    query = {**request.args.to_dict(), name: str(number)}
    return f"{request.base_url}?{urlencode(query)}"
