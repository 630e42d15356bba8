"""Git over authenticated smart HTTP: git's own CGI does the work, roles and branch rules are judged before it."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import subprocess

from flask import Blueprint, Response, request

from bot.forge.gitstore import git_environment
from bot.forge.model import Actor, Refused, Repo, Role
from bot.forge.pulls import refresh
from bot.forge.pushes import heads_and_tags, land
from bot.forge.rules import must_move_forward, push_refusal
from bot.forge.state import State
from bot.forge.trouble import Request

_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)")
_ASK_WHO = {"WWW-Authenticate": 'Basic realm="Headgate forge"'}


def git_blueprint(state: State) -> Blueprint:
    """The routes that git clients use."""
    routes = Blueprint("git", __name__)

    @routes.get("/<path:owner>/<name>.git/info/refs")
    def advertise(owner: str, name: str) -> Response:
        return _serve(state, f"{owner}/{name}", "info/refs", request.args.get("service", ""))

    @routes.post("/<path:owner>/<name>.git/<any('git-upload-pack','git-receive-pack'):service>")
    def exchange(owner: str, name: str, service: str) -> Response:
        return _serve(state, f"{owner}/{name}", service, service)

    return routes


def basic_token() -> str | None:
    """The token of a Basic authorization: the password, or the user when there is none."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or user


def _serve(state: State, full_name: str, path: str, service: str) -> Response:
    login: str | None = None
    blow = state.trouble.next_blow(request.path)
    if blow is not None:
        answer = Response(blow.message, blow.status, blow.headers)
    else:
        answer, login = _judged(state, full_name, path, service)
    state.trouble.note(
        Request(request.method, request.path, request.query_string.decode(), answer.status_code, login, "git")
    )
    return answer


def _judged(state: State, full_name: str, path: str, service: str) -> tuple[Response, str | None]:
    token = basic_token()
    with state.lock:
        actor = state.actor_of(token) if token else None
        if actor is None:
            return Response("Authentication required\n", 401, _ASK_WHO), None
        writes = service == "git-receive-pack"
        try:
            repo = state.repo(full_name)
            state.require(repo, actor, Role.WRITE if writes else Role.READ)
            if full_name in state.moved:
                return _moved(repo, full_name), actor.login
        except Refused as refused:
            return Response(f"{refused.reason}\n", 403 if refused.reason != "Not Found" else 404), actor.login
        if writes and path != "info/refs":
            return _receive(state, repo, actor), actor.login
        if path == "info/refs" and not writes:
            for pull in repo.pulls:
                refresh(state, repo, pull)
    return _cgi(state, repo, path, actor.login, _body(), {}), actor.login


def _moved(repo: Repo, asked: str) -> Response:
    """A repository's former name leads to its present one."""
    return Response("", 301, {"Location": request.url.replace(f"/{asked}.git", f"/{repo.full_name}.git", 1)})


def _body() -> bytes:
    data = request.get_data()
    return gzip.decompress(data) if request.headers.get("Content-Encoding") == "gzip" else data


def _receive(state: State, repo: Repo, actor: Actor) -> Response:
    body = _body()
    refused: dict[str, str] = {}
    forward: list[str] = []
    for old, new, ref in _commands(body):
        reason = push_refusal(state, repo, actor, ref, old, new)
        if reason is not None:
            refused[ref] = reason
        if must_move_forward(repo, ref):
            forward.append(ref)
    rules = {
        "FORGE_REFUSED_REFS": "\n".join(refused),
        "FORGE_REFUSED_REASON": " ".join(dict.fromkeys(refused.values())),
        "FORGE_FORWARD_REFS": "\n".join(forward),
    }
    before = heads_and_tags(state, repo)
    answer = _cgi(state, repo, "git-receive-pack", actor.login, body, rules)
    land(state, repo, actor, before)
    return answer


def _commands(body: bytes) -> list[tuple[str, str, str]]:
    """The ref movements that a push asks for: packet lines up to the first flush."""
    found: list[tuple[str, str, str]] = []
    at = 0
    while at + 4 <= len(body):
        length = int(body[at : at + 4], 16) if re.fullmatch(rb"[0-9a-fA-F]{4}", body[at : at + 4]) else 0
        if length < 4:
            break
        match = _COMMAND.match(body[at + 4 : at + length])
        if match:
            old, new, ref = (part.decode(errors="replace") for part in match.groups())
            found.append((old, new, ref))
        at += length
    return found


def _cgi(state: State, repo: Repo, path: str, login: str, body: bytes, rules: dict[str, str]) -> Response:
    environment = {
        **git_environment(),
        **rules,
        "GIT_PROJECT_ROOT": str(state.data_dir),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repo.path.relative_to(state.data_dir).as_posix()}/{path}",
        "QUERY_STRING": request.query_string.decode(),
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.content_type or "",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": login,
        "REMOTE_ADDR": request.remote_addr or "",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "GIT_COMMITTER_NAME": login,
        "GIT_COMMITTER_EMAIL": f"{login}@users.noreply.example.com",
    }
    done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, check=False, env=environment)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    if done.returncode != 0 and not head:
        return Response("git failed\n", 500)
    headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
    status = next((value for name, value in headers if name.lower() == "status"), "200 OK")
    kept = [(name, value) for name, value in headers if name.lower() != "status"]
    return Response(content, status, kept)
