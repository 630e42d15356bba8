"""The pages and their forms: read by anybody here, acted on by whoever signed in, every form with its token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue

from bot.forge import gitread, merging, pulls, talk
from bot.forge.faces import FACES
from bot.forge.model import AccountKind, Actor, MergeMethod, Pull, Refused, Repo, ReviewState
from bot.forge.pages.markdown import render
from bot.forge.pages.samples import open_sample, push_sample
from bot.forge.pages.views import changed_file, pull_view, status_of
from bot.forge.state import State
from bot.forge.story import SampleChange

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def site_blueprint(state: State, samples: list[SampleChange]) -> Blueprint:
    """The pages over a state; ``samples`` are what a viewer can push with one click."""
    site = Blueprint(
        "site", __name__, template_folder="../templates", static_folder="../static", static_url_path="/-/static"
    )
    site.record_once(lambda setup: _sessions(setup.app))
    pages = _Pages(state, samples)
    site.before_request(pages.guard)
    site.after_request(_dress)
    site.context_processor(pages.context)
    site.register_error_handler(404, lambda _: (render_template("missing.html"), 404))
    site.add_url_rule("/", "index", pages.index)
    site.add_url_rule("/<path:owner>/<name>", "repo", pages.repo)
    site.add_url_rule("/<path:owner>/<name>/pulls", "pulls", pages.repo)
    site.add_url_rule("/<path:owner>/<name>/pull/<int:number>", "pull", pages.pull)
    site.add_url_rule("/<path:owner>/<name>/pulls/<int:number>", "pull_too", pages.pull)
    site.add_url_rule("/<path:owner>/<name>/-/merge_requests/<int:number>", "merge_request", pages.pull)
    site.add_url_rule("/<path:owner>/<name>/-/commit/<sha>", "commit_too", pages.commit)
    site.add_url_rule("/<path:owner>/<name>/commit/<sha>", "commit", pages.commit)
    site.add_url_rule("/<path:owner>/<name>/pull/<int:number>/<action>", "act", pages.act, methods=["POST"])
    site.add_url_rule("/<path:owner>/<name>/-/sample", "sample", pages.sample, methods=["POST"])
    site.add_url_rule("/-/sign-in", "sign_in", pages.sign_in, methods=["POST"])
    site.add_url_rule("/-/version", "version", pages.version)
    site.add_url_rule("/-/avatar/<int:number>", "avatar", pages.avatar)
    return site


def _sessions(app: object) -> None:
    # Signed cookies with a key of this process: sign-ins end with it, like everything else here.
    app.secret_key = secrets.token_bytes(32)  # type: ignore[attr-defined]
    app.session_interface = SecureCookieSessionInterface()  # type: ignore[attr-defined]
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_NAME="forge")  # type: ignore[attr-defined]


def _dress(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


class _Pages:
    """The views; each gathers under the lock and renders."""

    def __init__(self, state: State, samples: list[SampleChange]) -> None:
        self.state = state
        self.samples = samples

    def guard(self) -> None:
        """Refuse a form that did not come from our own page."""
        if request.method == "POST":
            known = str(session.get("csrf", ""))
            given = request.form.get("csrf", "")
            if not known or not hmac.compare_digest(known.encode(), given.encode()):
                abort(403, "The form has expired. Reload the page and try again.")

    def context(self) -> dict[str, object]:
        """What every template knows."""
        if "csrf" not in session:
            session["csrf"] = secrets.token_urlsafe(24)
        with self.state.lock:
            people = [a for a in self.state.accounts.values() if a.kind is AccountKind.USER]
            ids = {account.login: account.id for account in self.state.accounts.values()}
        return {
            "viewer": self.viewer(),
            "people": people,
            "csrf": session["csrf"],
            "version": self.state.version,
            "avatar_id": lambda login: ids.get(login, 0),
            "ago": self._ago,
            "markdown": render,
            "noun": FACES[self.state.face].noun,
            "mark": FACES[self.state.face].mark,
        }

    def viewer(self) -> str | None:
        """Who is signed in."""
        login = session.get("login")
        return login if login in self.state.accounts else None

    def _ago(self, at: datetime) -> str:
        seconds = int((self.state.now() - at).total_seconds())
        for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
            if seconds >= size:
                return f"{seconds // size} {word}{'s' if seconds >= 2 * size else ''} ago"
        return "just now" if seconds < 10 else f"{seconds} seconds ago"

    def _repo(self, owner: str, name: str) -> Repo:
        try:
            return self.state.repo(f"{owner}/{name}")
        except Refused:
            abort(404)

    def _pull(self, repo: Repo, number: int) -> Pull:
        try:
            return pulls.find_pull(repo, number)
        except Refused:
            abort(404)

    def index(self) -> str:
        """The repositories."""
        with self.state.lock:
            return render_template("repos.html", repos=list(self.state.repos.values()))

    def repo(self, owner: str, name: str) -> str:
        """The pull requests of a repository."""
        with self.state.lock:
            repo = self._repo(owner, name)
            shown = request.args.get("state", "open")
            rows = [(p, status_of(p)) for p in reversed(repo.pulls) if (shown == "open") == p.open]
            counts = {"open": sum(p.open for p in repo.pulls), "closed": sum(not p.open for p in repo.pulls)}
            return render_template(
                "repo.html",
                repo=repo,
                rows=rows,
                counts=counts,
                shown=shown,
                samples=self.samples,
                root=self.state.root,
            )

    def pull(self, owner: str, name: str, number: int) -> str:
        """One pull request: conversation or files."""
        with self.state.lock:
            repo = self._repo(owner, name)
            view = pull_view(self.state, repo, self._pull(repo, number), self.viewer())
            tab = "files" if request.args.get("tab") == "files" else "talk"
            return render_template("pull.html", repo=repo, view=view, tab=tab, samples=self.samples)

    def commit(self, owner: str, name: str, sha: str) -> str:
        """One commit and what it changed."""
        with self.state.lock:
            repo = self._repo(owner, name)
            git = self.state.git(repo)
            found = git.resolve(sha)
            if found is None:
                abort(404)
            info = gitread.commit(git, found)
            since = info.parents[0] if info.parents else gitread.EMPTY_TREE
            files = [changed_file(change) for change in gitread.changed_files(git, since, found)]
            return render_template("commit.html", repo=repo, info=info, files=files)

    def version(self) -> dict[str, int]:
        """A number that moves whenever something happened."""
        return {"version": self.state.version}

    def avatar(self, number: int) -> Response:
        """The face of an account: its first letter on a colour of its own."""
        with self.state.lock:
            login = next((a.login for a in self.state.accounts.values() if a.id == number), "?")
        svg = render_template("avatar.svg", letter=login[0].upper(), hue=(number * 137) % 360)
        return Response(svg, content_type="image/svg+xml", headers={"Cache-Control": "max-age=3600"})

    def sign_in(self) -> ResponseReturnValue:
        """Become whoever was chosen; this host asks for no password."""
        login = request.form.get("login", "")
        if login in self.state.accounts:
            session["login"] = login
        else:
            session.pop("login", None)
        path = urlsplit(request.form.get("next", "/")).path
        return redirect(path if path.startswith("/") and not path.startswith("//") else "/", 303)

    def _actor(self) -> Actor:
        viewer = self.viewer()
        if viewer is None:
            raise Refused("Sign in first: choose who you are at the top of the page.")
        return Actor(viewer)

    def sample(self, owner: str, name: str) -> ResponseReturnValue:
        """Open a pull request with a sample change."""
        with self.state.lock:
            repo = self._repo(owner, name)
            try:
                made = open_sample(self.state, repo, self._actor(), self._sample())
            except Refused as refused:
                flash(refused.reason)
                return redirect(url_for("site.repo", owner=owner, name=name), 303)
        return redirect(url_for("site.pull", owner=owner, name=name, number=made.number), 303)

    def _sample(self) -> SampleChange:
        text = request.form.get("sample", "")
        if not text.isdecimal() or int(text) >= len(self.samples):
            raise Refused("There is no such sample change.")
        return self.samples[int(text)]

    def act(self, owner: str, name: str, number: int, action: str) -> ResponseReturnValue:
        """Do what a form of a pull request asks for, or say why not."""
        if action not in _ACTIONS and action != "sample":
            abort(404)
        with self.state.lock:
            repo = self._repo(owner, name)
            pull = self._pull(repo, number)
            try:
                if action == "sample":
                    push_sample(self.state, self._actor(), pull, self._sample())
                else:
                    _ACTIONS[action](self.state, repo, self._actor(), pull)
            except Refused as refused:
                flash(refused.reason)
        return redirect(url_for("site.pull", owner=owner, name=name, number=number), 303)


def _body() -> str:
    return request.form.get("body", "")


def _merge(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    word = request.form.get("method", "merge")
    if word not in ("merge", "squash", "rebase"):
        raise Refused("There is no such merge method.")
    face = FACES[state.face]
    wish = merging.MergeWish(
        MergeMethod(word),
        request.form.get("sha") or None,
        bypass=request.form.get("bypass") == "yes",
        joined=face.joined_squash,
    )
    merging.merge(state, repo, actor, pull, wish, face.blockers)


def _request_changes(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    talk.submit_review(state, repo, actor, pull, ReviewState.CHANGES_REQUESTED, _body())


def _comment(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    FACES[state.face].say(state, repo, actor, pull, _body())


def _approve(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    FACES[state.face].approve(state, repo, actor, pull, _body(), None)


_ACTIONS: dict[str, Callable[[State, Repo, Actor, Pull], object]] = {
    "comment": _comment,
    "approve": _approve,
    "request-changes": _request_changes,
    "merge": _merge,
    "close": pulls.close_pull,
    "reopen": pulls.reopen,
    "draft": lambda state, repo, actor, pull: pulls.set_draft(state, repo, actor, pull, True),
    "ready": lambda state, repo, actor, pull: pulls.set_draft(state, repo, actor, pull, False),
    "update-branch": lambda state, repo, actor, pull: merging.update_branch(state, repo, actor, pull, None),
}
