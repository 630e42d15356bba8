"""External status checks: a service is sent every state of a merge request and answers for its head.

https://docs.gitlab.com/api/status_checks/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from bot.forge.courier import Courier, Letter, place_hook
from bot.forge.external_checks import applying, word_for
from bot.forge.gitlab import payloads
from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Delivery, Hook, Pull, Refused, Repo
from bot.forge.report_model import ExternalCheck
from bot.forge.state import State

FACE = "gitlab-check"
_ASKED_OF: dict[Topic, Callable[[State, Happening], Letter | None]] = {
    Topic.PULL: payloads.pull,
    Topic.REVIEW: payloads.review,
}


class Asker:
    """Hears what happens to merge requests and asks the services."""

    def __init__(self, state: State, courier: Courier) -> None:
        self._state = state
        self._courier = courier

    def hear(self, happening: Happening) -> None:
        """Ask about one happening, when it is one to a merge request: words of people are none."""
        pull = happening.subject
        if happening.topic in _ASKED_OF and isinstance(pull, Pull):
            for check in applying(happening.repo, pull.base_ref):
                self.ask(happening, check)

    def ask(self, happening: Happening, check: ExternalCheck) -> None:
        """Send one service the present state."""
        letter = _ASKED_OF[happening.topic](self._state, happening)
        if letter is not None:
            rule = {"id": check.id, "name": check.name, "external_url": check.url}
            body = letter[1] | {"external_approval_rule": rule}
            self._courier.post(happening.repo.hooks[check.hook_id], (letter[0], body))


def add(state: State, repo: Repo, name: str, url: str, secret: str, branches: frozenset[str]) -> ExternalCheck:
    """Let a service be asked about changes for these branches (none: all). Raises Refused for a foreign scheme."""
    hook = place_hook(state, repo.hooks, repo.full_name, url, secret, (), face=FACE)
    check = ExternalCheck(state.new_id(), name, url, hook.id, branches)
    repo.external_checks[check.id] = check
    return check


class NotFailed(Refused):
    """Only a check that failed is asked again."""


def retry(state: State, repo: Repo, actor: Actor, pull: Pull, check: ExternalCheck) -> None:
    """Ask a service once more, though nothing changed. Raises NotFailed."""
    if word_for(state, pull, check) != "failed":
        raise NotFailed("External status check must be failed")
    check.answers[pull.number] = (pull.head_sha, "pending", state.now())
    happening = Happening(Topic.PULL, "edited", repo, actor, pull, {"changes": {}})
    for audience in state.audiences:
        if isinstance(audience, Asker):
            audience.ask(happening, check)


def nothing(_: State, __: Happening) -> Letter | None:
    """No happening goes to a service by itself: it is asked with its own rule in the payload."""
    return None


def headers(_: State, hook: Hook, delivery: Delivery) -> dict[str, str]:
    """The headers of a question, signed over its very bytes when the service has a secret."""
    shown = {"Content-Type": "application/json", "User-Agent": "GitLab/19.0.0"}
    if hook.secret:
        shown["X-Gitlab-Signature"] = hmac.new(hook.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return shown
