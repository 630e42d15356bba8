"""A branch's protection as GitHub shows it, and as it wants it back: nothing that is there gets lost.

https://docs.github.com/en/rest/branches/branch-protection
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.hosts.fields import some

ANY_SOURCE: Final = -1
"""GitHub's word for "whoever sets it": a token's statuses come from no App."""

_FLAGS: Final = (
    "required_linear_history",
    "allow_force_pushes",
    "allow_deletions",
    "block_creations",
    "required_conversation_resolution",
    "lock_branch",
    "allow_fork_syncing",
)
_REVIEW_RULES: Final = (
    "dismiss_stale_reviews",
    "require_code_owner_reviews",
    "required_approving_review_count",
    "require_last_push_approval",
)


@dataclass(frozen=True, slots=True)
class Required:
    """A check that a branch requires, and from which App; ``app_id`` is None for any source."""

    name: str
    app_id: int | None = None


def required_checks(shown: object) -> tuple[Required, ...]:
    """What ``required_status_checks`` requires; the older ``contexts`` where there are no ``checks``."""
    checks, contexts = some(shown).get("checks"), some(shown).get("contexts")
    if isinstance(checks, list) and checks:
        return tuple(required(some(each), "app_id") for each in checks)
    return tuple(Required(str(name)) for name in contexts) if isinstance(contexts, list) else ()


def required(each: Mapping[str, Any], source: str) -> Required:
    """One of a list; ``source`` is the field that names the App it must come from."""
    app_id = each.get(source)
    return Required(str(each.get("context") or ""), app_id if isinstance(app_id, int) and app_id > 0 else None)


def absent(names: Sequence[str], there: Sequence[Required]) -> tuple[str, ...]:
    """Which names are not required at all."""
    held = {each.name for each in there}
    return tuple(name for name in names if name not in held)


def missing(names: Sequence[str], there: Sequence[Required], app_id: int) -> tuple[str, ...]:
    """Which names are not required as they should be: from our App, or (``app_id`` 0) from any source.

    A check that is required from somebody else's App could never turn green by us.
    """
    held = {each.name for each in there if each.app_id == (app_id or None)}
    return tuple(name for name in names if name not in held)


def foreign(names: Sequence[str], there: Sequence[Required], app_id: int) -> tuple[str, ...]:
    """Which names are required from an App that is not ours."""
    held = {each.name for each in there if each.app_id not in (None, app_id)}
    return tuple(name for name in names if name in held)


def with_checks(shown: Mapping[str, Any], names: Sequence[str], app_id: int) -> dict[str, Any]:
    """The body of ``PUT …/protection`` that keeps what is shown and requires these checks, too."""
    there = some(shown.get("required_status_checks"))
    kept = [each for each in required_checks(there) if each.name not in names]
    wanted = [*kept, *(Required(name, app_id or None) for name in names)]
    reviews = some(shown.get("required_pull_request_reviews"))
    body: dict[str, Any] = {
        "required_status_checks": {
            "strict": bool(there.get("strict")),
            "checks": [{"context": each.name, "app_id": each.app_id or ANY_SOURCE} for each in wanted],
        },
        "enforce_admins": _enabled(shown.get("enforce_admins")),
        "required_pull_request_reviews": _reviews(reviews) if reviews else None,
        "restrictions": _people(shown["restrictions"]) if shown.get("restrictions") else None,
    }
    return body | {flag: _enabled(shown[flag]) for flag in _FLAGS if flag in shown}


def _reviews(shown: Mapping[str, Any]) -> dict[str, Any]:
    body = {rule: shown[rule] for rule in _REVIEW_RULES if rule in shown}
    lists = ("dismissal_restrictions", "bypass_pull_request_allowances")
    return body | {name: _people(shown[name]) for name in lists if shown.get(name)}


def _people(shown: object) -> dict[str, list[str]]:
    """People, teams and Apps by the names that GitHub wants to be given."""
    keys = {"users": "login", "teams": "slug", "apps": "slug"}
    lists = {kind: some(shown).get(kind) for kind in keys}
    return {
        kind: [str(some(each).get(keys[kind])) for each in found]
        for kind, found in lists.items()
        if isinstance(found, list)
    }


def _enabled(shown: object) -> bool:
    return shown is True or some(shown).get("enabled") is True
