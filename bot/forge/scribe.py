"""Notices that the host itself writes into a conversation: who approved, pushed, relabelled; some faces show them."""

from __future__ import annotations

from bot.forge.happening import Happening, Topic
from bot.forge.model import Comment, Pull, ReviewState
from bot.forge.state import State

_PLAIN = {
    "closed": "closed",
    "reopened": "reopened",
    "converted_to_draft": "marked this merge request as **draft**",
    "ready_for_review": "marked this merge request as **ready**",
}


class Scribe:
    """Hears what happened and takes it down."""

    def __init__(self, state: State) -> None:
        self._state = state

    def hear(self, happening: Happening) -> None:
        """Take down one happening, when it is about a change."""
        words = _words(happening)
        if words is not None:
            now = self._state.now()
            notice = Comment(self._state.new_id(), happening.actor.login, words, now, now, system=True)
            happening.subject.notices.append(notice)


def _words(happening: Happening) -> str | None:
    subject = happening.subject
    if not isinstance(subject, Pull):
        return None
    match happening.topic, happening.action:
        case Topic.REVIEW, "submitted":
            approved = happening.details["review"].state is ReviewState.APPROVED
            return "approved this merge request" if approved else "requested changes"
        case Topic.REVIEW, "dismissed":
            return "unapproved this merge request"
        case Topic.THREAD, "resolved":
            return "resolved all threads"
        case Topic.PULL, action:
            return _of_change(happening, subject, action or "")
        case _:
            return None


def _of_change(happening: Happening, subject: Pull, action: str) -> str | None:
    details = happening.details
    match action:
        case "closed" if subject.merged_at is not None:
            return "merged"
        case "synchronize":
            return f"added 1 commit\n\n* {details['after'][:8]}\n\n[Compare with previous version]"
        case "labeled" | "unlabeled":
            return f"{'added' if action == 'labeled' else 'removed'} ~{details['label'].id} label"
        case "edited" if "base" in details["changes"]:
            return f"changed target branch from `{details['changes']['base']['ref']['from']}` to `{subject.base_ref}`"
        case "edited" if "title" in details["changes"]:
            return f"changed title from **{details['changes']['title']['from']}** to **{subject.title}**"
        case "edited":
            return "changed the description"
        case _:
            return _PLAIN.get(action)
