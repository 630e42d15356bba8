"""The one question that only GitLab's GraphQL answers: whose the addresses in a merge request's commits are."""

from __future__ import annotations

import json
import re

from flask import Blueprint, Response, request

from bot.forge.gitlab.gate import token_of_request
from bot.forge.gitlab.shapes.people import Json, basic
from bot.forge.model import Actor, Refused, Role
from bot.forge.pulls import find_pull, pull_commits
from bot.forge.reception import receive
from bot.forge.state import State
from bot.forge.trouble import Blow

_ASKED = re.compile(r"\bproject\b.*\bmergeRequest\b.*\bcommits\b", re.DOTALL)


def graphql_blueprint(state: State) -> Blueprint:
    """``POST /api/graphql``; a query for anything else is answered with GitLab's kind of error."""
    blueprint = Blueprint("gitlab-graphql", __name__)

    @blueprint.post("/api/graphql")
    def ask() -> Response:
        token = token_of_request() or ""
        return receive(
            state, lambda blow: Response(blow.message, blow.status), lambda login: _answer(state, login), token
        )

    return blueprint


def _refusal(blow: Blow) -> Response:
    return Response(f"{blow.message}\n", blow.status, content_type="text/plain")


def _answer(state: State, login: list[str]) -> Response:
    token = token_of_request()
    with state.lock:
        actor = state.actor_of(token) if token else None
        if actor is None:
            return _json({"errors": [{"message": "Invalid token"}]}, 401)
        login.append(actor.login)
        try:
            body = json.loads(request.get_data())
            query, variables = str(body["query"]), dict(body.get("variables") or {})
        except (ValueError, KeyError, TypeError):
            return _json({"errors": [{"message": "Unexpected end of document"}]}, 422)
        if not _ASKED.search(query):
            return _json({"errors": [{"message": "Field is not served by this host"}]}, 200)
        return _json({"data": {"project": _project(state, actor, variables)}}, 200)


def _project(state: State, actor: Actor, variables: Json) -> Json | None:
    """What GraphQL may not show is null."""
    try:
        repo = state.repo(str(variables.get("path")))
        state.require(repo, actor, Role.READ)
        pull = find_pull(repo, int(str(variables.get("iid"))))
    except (Refused, ValueError):
        return None
    people = {account.email: account.login for account in state.accounts.values()}
    nodes = [
        {"sha": info.sha, "authorEmail": info.author.email, "author": basic(state, people.get(info.author.email))}
        for info in reversed(pull_commits(state, repo, pull))
    ]
    return {"mergeRequest": {"commits": {"nodes": nodes}}}


def _json(body: Json, status: int) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")
