"""External status checks: a service is sent every state of a merge request and answers for its head.

https://docs.gitlab.com/api/status_checks/
"""

from __future__ import annotations

import hashlib
import hmac

from bot.forge.courier import Courier, Letter, place_hook
from bot.forge.gitlab import payloads
from bot.forge.happening import Happening, Topic
from bot.forge.model import Delivery, Hook, Pull, Repo
from bot.forge.report_model import ExternalCheck
from bot.forge.state import State

FACE = "gitlab-check"


class Asker:
    """Hears what happens to merge requests and asks the services."""

    def __init__(self, state: State, courier: Courier) -> None:
        self._state = state
        self._courier = courier

    def hear(self, happening: Happening) -> None:
        """Ask about one happening, when it is one to a merge request."""
        if happening.topic in (Topic.PULL, Topic.COMMENT) and isinstance(happening.subject, Pull):
            for check in happening.repo.external_checks.values():
                self.ask(happening, check)

    def ask(self, happening: Happening, check: ExternalCheck) -> None:
        """Send one service the present state."""
        change = happening if happening.topic is Topic.PULL else _as_edit(happening)
        letter = payloads.pull(self._state, change)
        if letter is not None:
            rule = {"id": check.id, "name": check.name, "external_url": check.url}
            body = letter[1] | {"external_approval_rule": rule}
            self._courier.post(happening.repo.hooks[check.hook_id], (letter[0], body))


def _as_edit(happening: Happening) -> Happening:
    return Happening(Topic.PULL, "edited", happening.repo, happening.actor, happening.subject, {"changes": {}})


def add(state: State, repo: Repo, name: str, url: str, secret: str) -> ExternalCheck:
    """Let a service be asked. Raises Refused for a foreign scheme."""
    hook = place_hook(state, repo.hooks, repo.full_name, url, secret, (), face=FACE)
    check = ExternalCheck(state.new_id(), name, url, hook.id)
    repo.external_checks[check.id] = check
    return check


def nothing(_: State, __: Happening) -> Letter | None:
    """No happening goes to a service by itself: it is asked with its own rule in the payload."""
    return None


def headers(_: State, hook: Hook, delivery: Delivery) -> dict[str, str]:
    """The headers of a question, signed over its very bytes when the service has a secret."""
    shown = {"Content-Type": "application/json", "User-Agent": "GitLab/19.0.0"}
    if hook.secret:
        shown["X-Gitlab-Signature"] = hmac.new(hook.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return shown
