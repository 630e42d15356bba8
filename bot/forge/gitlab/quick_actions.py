"""Quick actions: lines of a note that GitLab takes as orders and does not keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.forge import merging, pulls, talk
from bot.forge.gitlab import approvals, standing
from bot.forge.model import Actor, Comment, MergeMethod, Pull, Refused, Repo
from bot.forge.state import State

# https://docs.gitlab.com/user/project/quick_actions/: those that merge requests know. What is not listed stays text.
_NAMES = """
    add_email approve assign assign_reviewer award blocked_by blocks cc clear_health_status close
    confidential copy_metadata create_merge_request done draft due duplicate epic estimate estimate_time
    iteration label labels lock merge milestone move parent promote react ready reassign
    reassign_reviewer rebase relabel relate remove_assignee remove_due_date remove_estimate
    remove_iteration remove_label remove_milestone remove_parent remove_reviewer remove_time_spent
    remove_weight reopen request_changes request_review reviewer severity ship shrug spend spend_time
    spent status submit_review subscribe tableflip target_branch title todo unapprove unassign
    unassign_reviewer unlabel unlock unrelate unreviewer unsubscribe weight wip
"""
KNOWN = frozenset(_NAMES.split())
_LINE = re.compile(r"^/([a-z_]+)(?:[ \t]+(.*))?$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_TEXT_ONLY = {"shrug": " ¯\\\\＿(ツ)＿/¯", "tableflip": " (╯°□°)╯︵ ┻━┻"}


@dataclass(frozen=True, slots=True)
class Order:
    """One quick action and the words after it."""

    name: str
    rest: str


def split(text: str) -> tuple[str, list[Order]]:
    """The text that stays, and the orders in it. Code blocks and quotes hold no orders."""
    kept: list[str] = []
    orders: list[Order] = []
    fence: str | None = None
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark is not None:
            fence = None if fence == mark[1] else fence or mark[1]
        found = _LINE.match(line.rstrip()) if fence is None else None
        if found is None or found[1] not in KNOWN:
            kept.append(line)
        elif found[1] in _TEXT_ONLY:
            kept.append(f"{found[2] or ''}{_TEXT_ONLY[found[1]]}")
        else:
            orders.append(Order(found[1], (found[2] or "").strip()))
    return "\n".join(kept).strip(), orders


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a note: the comment that was kept, if any, and a sentence for each order."""

    comment: Comment | None
    summary: tuple[str, ...]


def say(
    state: State, repo: Repo, actor: Actor, pull: Pull, text: str, limit: int = 1_000_000, thread: str | None = None
) -> Said:
    """Say something in a merge request; orders are carried out as far as the actor may, and never kept as text."""
    kept, orders = split(text)
    if not orders:
        return Said(talk.add_comment(state, repo, actor, pull, text, limit, thread), ())
    comment = talk.add_comment(state, repo, actor, pull, kept, limit, thread) if kept else None
    return Said(comment, tuple(_obey(state, repo, actor, pull, order) for order in orders))


def _obey(state: State, repo: Repo, actor: Actor, pull: Pull, order: Order) -> str:
    act = _ACTS.get(order.name)
    if act is None:
        return f"Applied /{order.name}."
    try:
        return act(state, repo, actor, pull, order.rest)
    except Refused as refused:
        return f"Could not apply {order.name} command. {refused.reason}".strip()


Act = Callable[[State, Repo, Actor, Pull, str], str]


def _approve(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    approvals.approve(state, repo, actor, pull)
    return "Approved this merge request."


def _unapprove(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    approvals.unapprove(state, repo, actor, pull)
    return "Unapproved the current merge request."


def _merge(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    wish = merging.MergeWish(MergeMethod.SQUASH if pull.squash else repo.settings.method, pull.head_sha)
    merging.merge(state, repo, actor, pull, wish, standing.merge_blockers)
    return "Merged this merge request."


def _close(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    pulls.close_pull(state, repo, actor, pull)
    return "Closed this merge request."


def _reopen(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    pulls.reopen(state, repo, actor, pull)
    return "Reopened this merge request."


def _names(text: str) -> list[str]:
    quoted = re.findall(r'~"([^"]+)"|~(\S+)', text)
    return [one or two for one, two in quoted] or text.split()


def _label(state: State, repo: Repo, actor: Actor, pull: Pull, rest: str) -> str:
    names = [name for name in _names(rest) if name in repo.labels]
    pulls.add_labels(state, repo, actor, pull, names)
    return f"Added {' '.join(f'~{name}' for name in names)} labels." if names else "No label was found."


def _unlabel(state: State, repo: Repo, actor: Actor, pull: Pull, rest: str) -> str:
    for name in _names(rest) if rest else list(pull.labels):
        pulls.remove_label(state, repo, actor, pull, name)
    return "Removed labels."


def _draft(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    pulls.set_draft(state, repo, actor, pull, draft=True)
    return "Marked this merge request as a draft."


def _ready(state: State, repo: Repo, actor: Actor, pull: Pull, _: str) -> str:
    pulls.set_draft(state, repo, actor, pull, draft=False)
    return "Marked this merge request as ready."


def _title(state: State, repo: Repo, actor: Actor, pull: Pull, rest: str) -> str:
    pulls.edit(state, repo, actor, pull, title=rest)
    return f'Changed the title to "{rest}".'


def _target(state: State, repo: Repo, actor: Actor, pull: Pull, rest: str) -> str:
    pulls.retarget(state, repo, actor, pull, rest)
    return f"Set target branch to {rest}."


def _lock(_: State, __: Repo, ___: Actor, pull: Pull, ____: str) -> str:
    pull.locked = True
    return "Locked the discussion."


def _unlock(_: State, __: Repo, ___: Actor, pull: Pull, ____: str) -> str:
    pull.locked = False
    return "Unlocked the discussion."


_ACTS: dict[str, Act] = {
    "approve": _approve,
    "unapprove": _unapprove,
    "merge": _merge,
    "close": _close,
    "reopen": _reopen,
    "label": _label,
    "labels": _label,
    "unlabel": _unlabel,
    "remove_label": _unlabel,
    "draft": _draft,
    "wip": _draft,
    "ready": _ready,
    "title": _title,
    "target_branch": _target,
    "lock": _lock,
    "unlock": _unlock,
}
