"""How the layers that judge are left out: the gate's rules, whose words count, how words are shown, what is read.

Each is a rule of the core, so it is left out by putting something lax in its place wherever it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from bot.core import affected, commands, effectset, leftovers, people
from bot.core.config import document
from bot.core.decide import requests
from bot.core.face import explain, markdown
from bot.core.model import Permission
from bot.core.record import Verb
from bot.core.verdict import Reason, Status
from bot.hosts import signing

if TYPE_CHECKING:
    from attacks.ground import Ground

HUGE: Final = 2**40


def everywhere(patch: pytest.MonkeyPatch, real: Callable[..., Any], lax: Callable[..., Any]) -> None:
    """Put ``lax`` in the place of a function, in every module that knows it by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("bot."):
            for word, value in list(vars(module).items()):
                if value is real:
                    patch.setattr(module, word, lax)


def as_it_is(text: str, limit: int = 0) -> str:
    """Words as somebody wrote them."""
    del limit
    return text


def no_words(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """What tools and people say goes into comments, pages and chats as it is."""
    for real in (markdown.plain, markdown.visible, markdown.unmarked, explain.plain_keeping_code):
        everywhere(patch, real, as_it_is)


def anybody_commands(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """No command needs a permission."""
    patch.setattr(requests, "LEAST", dict.fromkeys(Verb, Permission.NONE))


def everything_is_spoken(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Quotes, code and hidden text are commands like any other line."""

    def spoken(body: str) -> Iterator[str]:
        return (line.lstrip("> ") for line in body.splitlines())

    patch.setattr(commands, "_spoken", spoken)


def own_binding(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """A change's projects are bound as the change says."""
    patch.setattr(affected._Pair, "planned", lambda pair: pair.new or pair.old)


def own_projects(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """What a change concerns is found by its own configuration alone."""
    real = affected._paired
    patch.setattr(affected, "_paired", lambda base, head: real(head, head))


def own_work(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Who wrote something may approve it."""
    everywhere(patch, people.contributors, lambda snapshot: frozenset())


def any_approval(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """An approval counts whatever is pushed after it."""
    patch.setattr(people, "_uncovered", lambda snapshot, review, current, survive: "")


def nothing_left(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Nobody asks what a removed project owns."""
    fine = Reason("removed", Status.APPROVED, "nobody asked")
    patch.setattr(leftovers, "reasons", lambda snapshot: (fine,))
    patch.setattr(leftovers, "uncountable", lambda snapshot, each: False)


def unsigned(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Deliveries need no signature."""
    everywhere(patch, signing.signed, lambda supplies, body, signature, header: None)


def unbounded(ground: Ground, patch: pytest.MonkeyPatch) -> None:
    """Configurations and plans of any size are taken in."""
    # What was read within bounds is remembered: somebody else has to read it again.
    ground.compose(patch, ground.services.settings)
    patch.setattr(document, "MAX_NODES", HUGE)
    patch.setattr(effectset, "MOST_EFFECTS", HUGE)
