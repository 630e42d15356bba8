"""Notes, discussions, labels and reactions as GitLab's JSON."""

from __future__ import annotations

import hashlib

from bot.forge.gitlab.shapes.people import Json, basic, moment
from bot.forge.model import Award, Comment, Issue, Label, Pull, Repo
from bot.forge.state import State


def kind(issue: Issue) -> str:
    """What a note stands under."""
    return "MergeRequest" if isinstance(issue, Pull) else "Issue"


def note(state: State, repo: Repo, issue: Issue, comment: Comment) -> Json:
    """A note."""
    shape: Json = {
        "id": comment.id,
        "type": "DiscussionNote" if comment.thread else None,
        "body": comment.body,
        "author": basic(state, comment.author),
        "created_at": moment(comment.created_at),
        "updated_at": moment(comment.updated_at),
        "system": comment.system,
        "noteable_id": issue.id,
        "noteable_type": kind(issue),
        "project_id": repo.id,
        "commit_id": None,
        "resolvable": comment.resolvable,
        "confidential": False,
        "internal": False,
        "imported": False,
        "imported_from": "none",
        "noteable_iid": issue.number,
        "commands_changes": {},
    }
    if comment.resolvable:
        shape |= {
            "resolved": comment.resolved_by is not None,
            "resolved_by": basic(state, comment.resolved_by),
            "resolved_at": moment(comment.resolved_at),
        }
    return shape


def thread_id(comment: Comment) -> str:
    """The discussion a note belongs to; a note of its own has one to itself."""
    return comment.thread or hashlib.sha1(str(comment.id).encode(), usedforsecurity=False).hexdigest()


def discussions(issue: Issue) -> list[tuple[str, list[Comment]]]:
    """The notes by discussion, in the order in which these began."""
    found: dict[str, list[Comment]] = {}
    for comment in issue.comments:
        found.setdefault(thread_id(comment), []).append(comment)
    return list(found.items())


def discussion(state: State, repo: Repo, issue: Issue, thread: tuple[str, list[Comment]]) -> Json:
    """A discussion with its notes."""
    number, notes = thread
    return {
        "id": number,
        "individual_note": notes[0].thread is None,
        "notes": [note(state, repo, issue, comment) for comment in notes],
    }


def label(which: Label) -> Json:
    """A label of a project."""
    return {
        "id": which.id,
        "name": which.name,
        "description": which.description,
        "description_html": which.description or "",
        "text_color": "#1F1E24",
        "color": f"#{which.color}",
        "archived": False,
        "subscribed": False,
        "priority": None,
        "is_project_label": True,
    }


def award(state: State, which: Award, on: str, on_id: int) -> Json:
    """A reaction."""
    return {
        "id": which.id,
        "name": which.name,
        "user": basic(state, which.author),
        "created_at": moment(which.at),
        "updated_at": moment(which.at),
        "awardable_id": on_id,
        "awardable_type": on,
        "url": None,
    }
