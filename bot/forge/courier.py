"""Happenings reach the hooks that asked for them: signed, in order per hook, each attempt on record."""

from __future__ import annotations

import http.client
import json
import queue
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Delivery, Hook, Refusal, Refused, Repo, Role
from bot.forge.state import State

_TIMEOUT_S = 10.0
_BODY_KEPT = 10_000
_LOG_KEPT = 5_000

Letter = tuple[str, dict[str, Any]]
Renderer = Callable[[State, Happening], Letter | None]
Headers = Callable[[State, Hook, Delivery], dict[str, str]]


class Habit(Protocol):
    """When a host stops calling a hook that does not answer."""

    def allows(self, state: State, hook: Hook) -> bool:
        """Whether a hook is called now."""

    def learn(self, state: State, hook: Hook, delivery: Delivery) -> None:
        """Draw the conclusion from one delivery."""


class Courier:
    """One thread per hook. ``hold`` and ``release`` let tests delay and shuffle what is under way."""

    def __init__(
        self,
        state: State,
        renderers: Mapping[str, Renderer],
        headers: Mapping[str, Headers],
        habits: Mapping[str, Habit] | None = None,
    ) -> None:
        self._state = state
        self._habits = habits or {}
        self._renderers = renderers
        self._headers = headers
        self._lines: dict[int, queue.SimpleQueue[Delivery | None]] = {}
        self._threads: list[threading.Thread] = []
        self._held: list[tuple[Hook, Delivery]] | None = None
        self._under_way = 0
        self._quiet = threading.Condition()

    def hear(self, happening: Happening) -> None:
        """Write the letters for one happening; called under the state's lock."""
        letters: dict[str, Letter | None] = {}
        for hook in self._state.hooks_of(happening.repo):
            test = happening.topic is Topic.PING
            if test and happening.subject is not hook:
                continue
            if not test and not self._called(hook):
                continue
            if hook.face not in letters or test:
                letters[hook.face] = self._renderers[hook.face](self._state, happening)
            letter = letters[hook.face]
            if letter is None or not (test or letter[0] in hook.events or "*" in hook.events):
                continue
            self.post(hook, letter)

    def _called(self, hook: Hook) -> bool:
        habit = self._habits.get(hook.face)
        return hook.active and (habit is None or habit.allows(self._state, hook))

    def post(self, hook: Hook, letter: Letter) -> None:
        """Send one letter to one hook."""
        event, payload = letter
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        action = payload.get("action")
        delivery = Delivery(
            self._state.new_id(), str(uuid.uuid4()), event, action, {}, body, False, self._state.now()
        )
        hook.deliveries.append(delivery)
        del hook.deliveries[:-_LOG_KEPT]
        if self._state.trouble.take("lose_deliveries"):
            delivery.status, delivery.status_code = "lost", 0
            return
        self._send(hook, delivery)
        if self._state.trouble.take("repeat_deliveries"):
            self._again(hook, delivery)

    def redeliver(self, hook: Hook, delivery_id: int) -> Delivery:
        """Hand a delivery over once more, with the same GUID and body. Raises Refused for unknown ones."""
        return self._again(hook, find_delivery(hook, delivery_id))

    def _again(self, hook: Hook, old: Delivery) -> Delivery:
        again = Delivery(self._state.new_id(), old.guid, old.event, old.action, {}, old.body, True, self._state.now())
        hook.deliveries.append(again)
        self._send(hook, again)
        return again

    def _send(self, hook: Hook, delivery: Delivery) -> None:
        with self._quiet:
            self._under_way += 1
            if self._held is not None:
                self._held.append((hook, delivery))
                return
        self._enqueue(hook, delivery)

    def _enqueue(self, hook: Hook, delivery: Delivery) -> None:
        line = self._lines.get(hook.id)
        if line is None:
            line = self._lines[hook.id] = queue.SimpleQueue()
            thread = threading.Thread(target=self._carry, args=(hook, line), daemon=True, name=f"hook-{hook.id}")
            self._threads.append(thread)
            thread.start()
        line.put(delivery)

    def hold(self) -> None:
        """Keep letters back from now on."""
        with self._quiet:
            self._held = self._held if self._held is not None else []

    def release(self, shuffle: random.Random | None = None) -> int:
        """Send what was held back, in order or shuffled, and give how many there were."""
        with self._state.lock, self._quiet:
            held, self._held = self._held or [], None
            if shuffle is not None:
                shuffle.shuffle(held)
            for hook, delivery in held:
                self._enqueue(hook, delivery)
        return len(held)

    def settle(self, timeout_s: float = 30.0) -> bool:
        """Wait until nothing is under way; false when the time ran out first."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._under_way == 0, timeout_s)

    def stop(self) -> None:
        """Let every thread end after what it is doing."""
        for line in self._lines.values():
            line.put(None)
        for thread in self._threads:
            thread.join(_TIMEOUT_S + 1)

    def _carry(self, hook: Hook, line: queue.SimpleQueue[Delivery | None]) -> None:
        while (delivery := line.get()) is not None:
            try:
                self._attempt(hook, delivery)
                if hook.face in self._habits:
                    with self._state.lock:
                        self._habits[hook.face].learn(self._state, hook, delivery)
            finally:
                with self._quiet:
                    self._under_way -= 1
                    self._quiet.notify_all()

    def _attempt(self, hook: Hook, delivery: Delivery) -> None:
        delivery.request_headers = self._headers[hook.face](self._state, hook, delivery)
        parts = urlsplit(hook.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        started = time.monotonic()
        try:
            link = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
            target = parts.path or "/"
            link.request(
                "POST", f"{target}?{parts.query}" if parts.query else target, delivery.body, delivery.request_headers
            )
            answer = link.getresponse()
            delivery.response_body = answer.read(_BODY_KEPT).decode(errors="replace")
            delivery.response_headers = dict(answer.getheaders())
            delivery.status_code = answer.status
            delivery.status = "OK" if answer.status < 300 else answer.reason or "Invalid HTTP Response"
            link.close()
        except TimeoutError:
            delivery.status, delivery.status_code = "timed out", 0
        except (OSError, http.client.HTTPException, ValueError):
            delivery.status, delivery.status_code = "failed to connect to host", 0
        delivery.duration = round(time.monotonic() - started, 3)


def add_hook(
    state: State,
    repo: Repo,
    actor: Actor,
    url: str,
    secret: str,
    events: tuple[str, ...],
    active: bool = True,
    face: str = "github",
) -> Hook:
    """Register an address and send it a ping. Raises Refused for a foreign scheme or one that is there already."""
    state.require(repo, actor, Role.ADMIN)
    if face == "github" and any((h.url, set(h.events)) == (url, set(events)) for h in repo.hooks.values()):
        raise Refused("Hook already exists on this repository")
    hook = place_hook(state, repo.hooks, repo.full_name, url, secret, events, active, face)
    ping(state, repo, actor, hook)
    return hook


def place_hook(
    state: State,
    shelf: dict[int, Hook],
    home: str,
    url: str,
    secret: str,
    events: tuple[str, ...],
    active: bool = True,
    face: str = "github",
) -> Hook:
    """Put an address among the hooks of a repository, group or instance. Raises Refused for a foreign scheme."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused("config.url must be an http or https URL")
    now = state.now()
    hook = Hook(state.new_id(), home, url, secret, events, now, now, active, face=face)
    shelf[hook.id] = hook
    return hook


def ping(state: State, repo: Repo, actor: Actor, hook: Hook, sample: str | None = None) -> None:
    """Say hello to a hook, or send it a sample of the kind named, where its face has such."""
    state.tell(Happening(Topic.PING, None, repo, actor, hook, {"event": sample}))


def redeliver(state: State, hook: Hook, delivery_id: int) -> None:
    """Hand a delivery over once more. Raises Refused for unknown ones."""
    for each in _couriers(state):
        each.redeliver(hook, delivery_id)


def post(state: State, hook: Hook, letter: Letter) -> None:
    """Send one hook what concerns nobody else."""
    for each in _couriers(state):
        each.post(hook, letter)


def _couriers(state: State) -> list[Courier]:
    return [audience for audience in state.audiences if isinstance(audience, Courier)]


def find_delivery(hook: Hook, delivery_id: int) -> Delivery:
    """A delivery by id. Raises Refused when there is none."""
    for delivery in hook.deliveries:
        if delivery.id == delivery_id:
            return delivery
    raise Refused("Not Found", Refusal.NOT_FOUND)
