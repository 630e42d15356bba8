"""Deliveries the GitLab way: which event goes out, the headers and signatures, and hooks that are switched off."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta

from bot.forge.courier import Letter
from bot.forge.gitlab import payloads, report_payloads
from bot.forge.happening import Happening, Topic
from bot.forge.model import Delivery, Hook, Refused
from bot.forge.state import State

_PREFIX = "whsec_"
_KEY_BYTES = 32
_FAILURES_UNTIL_PAUSE = 4
_FAILURES_UNTIL_OFF = 40
_LONGEST_PAUSE = timedelta(hours=24)


def _hello(state: State, happening: Happening) -> Letter | None:
    """GitLab greets no new hook; a test is a sample push."""
    trigger = happening.details.get("event")
    return _TESTS[trigger](state, happening) if trigger in _TESTS else None


def _sample_push(state: State, happening: Happening) -> Letter | None:
    repo = happening.repo
    tip = state.git(repo).resolve(repo.default_branch) or "0" * 40
    details = {"ref": f"refs/heads/{repo.default_branch}", "before": "0" * 40, "after": tip}
    return payloads.push(state, Happening(Topic.PUSH, None, repo, happening.actor, None, details))


def _sample_change(state: State, happening: Happening) -> Letter | None:
    pulls = happening.repo.pulls
    if not pulls:
        return None
    return payloads.pull(state, Happening(Topic.PULL, "opened", happening.repo, happening.actor, pulls[-1]))


_TESTS: dict[str, Callable[[State, Happening], Letter | None]] = {
    "push_events": _sample_push,
    "merge_requests_events": _sample_change,
}
TEST_TRIGGERS = tuple(_TESTS)


def _nothing(_: State, __: Happening) -> Letter | None:
    return None


_BODIES: dict[Topic, Callable[[State, Happening], Letter | None]] = {
    Topic.PING: _hello,
    Topic.PUSH: payloads.push,
    Topic.PULL: payloads.pull,
    Topic.REVIEW: payloads.review,
    Topic.COMMENT: payloads.comment,
    Topic.STATUS: _nothing,
    Topic.CHECK_RUN: _nothing,
    Topic.PIPELINE: report_payloads.pipeline,
    Topic.DEPLOYMENT: report_payloads.deployment,
    Topic.DEPLOYMENT_STATUS: report_payloads.deployment,
    Topic.AWARD: report_payloads.award,
    Topic.THREAD: payloads.pull,
}


def render(state: State, happening: Happening) -> Letter | None:
    """The event and payload of a happening; None when GitLab would send nothing."""
    write = _BODIES.get(happening.topic)
    return write(state, happening) if write is not None else None


_SYSTEM = frozenset(("Push Hook", "Tag Push Hook", "Merge Request Hook"))


def render_system(state: State, happening: Happening) -> Letter | None:
    """What a hook of the whole instance gets: pushes, tags and merge requests, all under one name."""
    letter = render(state, happening)
    return ("System Hook", letter[1]) if letter is not None and letter[0] in _SYSTEM else None


def new_signing_token() -> str:
    """A fresh signing token in the form that GitLab hands out."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def signing_key(token: str) -> bytes:
    """The key inside a signing token. Raises Refused unless it is ``whsec_`` and 32 bytes in base64."""
    try:
        key = base64.b64decode(token.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not token.startswith(_PREFIX) or len(key) != _KEY_BYTES:
        raise Refused("signing_token is invalid")
    return key


def sign(token: str, number: str, timestamp: str, body: bytes) -> str:
    """The ``webhook-signature`` over ``id.timestamp.body``."""
    said = b".".join((number.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(signing_key(token), said, hashlib.sha256).digest()).decode()


def headers(state: State, hook: Hook, delivery: Delivery) -> dict[str, str]:
    """The headers of one delivery; a resent one keeps its id, and is signed anew for its own moment."""
    shown = {
        "User-Agent": "GitLab/19.0.0",
        "Content-Type": "application/json",
        "X-Gitlab-Event": delivery.event,
        "X-Gitlab-Instance": state.root,
        "X-Gitlab-Webhook-UUID": _uuid(f"hook-{hook.id}"),
        "X-Gitlab-Event-UUID": _uuid(f"event-{delivery.guid}"),
        "Idempotency-Key": delivery.guid,
        "webhook-id": delivery.guid,
    }
    if hook.secret:
        shown["X-Gitlab-Token"] = hook.secret
    if hook.signing_token:
        stamp = str(int(state.now().timestamp()))
        shown["webhook-timestamp"] = stamp
        shown["webhook-signature"] = sign(hook.signing_token, delivery.guid, stamp, delivery.body)
    return shown


def _uuid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], f"4{digest[13:16]}", f"a{digest[17:20]}", digest[20:32]))


class Habit:
    """Switches failing hooks off: from the fourth failure in a row for a minute, doubling to a day; 40 are for good.

    https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
    """

    def allows(self, state: State, hook: Hook) -> bool:
        """Whether a hook is called now."""
        return hook.disabled_until is None or hook.disabled_until <= state.now()

    def learn(self, state: State, hook: Hook, delivery: Delivery) -> None:
        """Draw the conclusion from one delivery."""
        if 200 <= delivery.status_code < 300:
            hook.failures, hook.disabled_until, hook.active = 0, None, True
            return
        hook.failures += 1
        if hook.failures >= _FAILURES_UNTIL_OFF:
            hook.active = False
        elif hook.failures >= _FAILURES_UNTIL_PAUSE:
            pause = timedelta(minutes=2 ** min(hook.failures - _FAILURES_UNTIL_PAUSE, 11))
            hook.disabled_until = state.now() + min(pause, _LONGEST_PAUSE)
