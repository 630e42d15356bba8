"""Notes, discussions and reactions."""

from __future__ import annotations

import secrets

from bot.forge import talk
from bot.forge.gitlab import quick_actions
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import note as shapes
from bot.forge.happening import Happening, Topic
from bot.forge.model import Award, Comment, Pull, Refusal, Refused, Role

NOTE_LIMIT = 1_000_000


def _note(call: Call, iid: int, note_id: int) -> tuple[Pull, Comment]:
    pull = call.pull(iid)
    for comment in [*pull.comments, *pull.notices]:
        if comment.id == note_id:
            return pull, comment
    raise Refused("Not Found", Refusal.NOT_FOUND)


def list_notes(call: Call, iid: int) -> Result:
    """``GET …/notes``, newest first unless asked otherwise."""
    pull = call.pull(iid)
    by_update = call.one_of("order_by", "created_at", "updated_at") == "updated_at"
    kind = call.one_of("activity_filter", "all_notes", "only_comments", "only_activity") or "all_notes"
    kept = [
        c for c in [*pull.comments, *pull.notices] if kind == "all_notes" or c.system == (kind == "only_activity")
    ]
    kept.sort(key=lambda comment: (comment.updated_at if by_update else comment.created_at, comment.id))
    rows = kept if call.one_of("sort", "asc", "desc") == "asc" else kept[::-1]
    return Page(rows, lambda comment: shapes.note(call.state, call.repo, pull, comment))


def get_note(call: Call, iid: int, note_id: int) -> Result:
    """``GET …/notes/:note_id``."""
    pull, comment = _note(call, iid, note_id)
    return shapes.note(call.state, call.repo, pull, comment)


def create_note(call: Call, iid: int) -> Result:
    """``POST …/notes``; a note of nothing but quick actions is answered 202 and not kept."""
    pull = call.pull(iid)
    said = _say(call, pull, None)
    if said.comment is None:
        return Answer({"commands_changes": {}, "summary": list(said.summary)}, 202)
    return Answer(shapes.note(call.state, call.repo, pull, said.comment), 201)


def _say(call: Call, pull: Pull, thread: str | None) -> quick_actions.Said:
    body = call.need("body")
    if not body.strip():
        raise Declined(400, '400 Bad request - Note {:note=>["can\'t be blank"]}')
    if len(body) > NOTE_LIMIT:
        raise Declined(400, '400 Bad request - Note {:note=>["is too long (maximum is 1000000 characters)"]}')
    return quick_actions.say(call.state, call.repo, call.actor, pull, body, NOTE_LIMIT, thread)


def edit_note(call: Call, iid: int, note_id: int) -> Result:
    """``PUT …/notes/:note_id``."""
    pull, comment = _note(call, iid, note_id)
    if comment.system or comment.author != call.actor.login:
        call.require(Role.MAINTAIN)
    body, _ = quick_actions.split(call.need("body"))
    if not body:
        raise Declined(400, '400 Bad request - Note {:note=>["can\'t be blank"]}')
    talk.edit_comment(call.state, call.repo, call.actor, comment.id, body, NOTE_LIMIT)
    return shapes.note(call.state, call.repo, pull, comment)


def delete_note(call: Call, iid: int, note_id: int) -> Result:
    """``DELETE …/notes/:note_id``."""
    comment = _note(call, iid, note_id)[1]
    if comment.author != call.actor.login:
        call.require(Role.MAINTAIN)
    talk.delete_comment(call.state, call.repo, call.actor, comment.id)
    return Answer(None, 204)


def list_discussions(call: Call, iid: int) -> Result:
    """``GET …/discussions``."""
    pull = call.pull(iid)
    return Page(shapes.discussions(pull), lambda thread: shapes.discussion(call.state, call.repo, pull, thread))


def _thread(pull: Pull, number: str) -> tuple[str, list[Comment]]:
    for thread in shapes.discussions(pull):
        if thread[0] == number:
            return thread
    raise Refused("Not Found", Refusal.NOT_FOUND)


def get_discussion(call: Call, iid: int, discussion: str) -> Result:
    """``GET …/discussions/:discussion_id``."""
    pull = call.pull(iid)
    return shapes.discussion(call.state, call.repo, pull, _thread(pull, discussion))


def create_discussion(call: Call, iid: int) -> Result:
    """``POST …/discussions``: a note that others can answer and somebody must resolve."""
    pull = call.pull(iid)
    number = secrets.token_hex(20)
    said = _say(call, pull, number)
    if said.comment is None:
        return Answer({"commands_changes": {}, "summary": list(said.summary)}, 202)
    return Answer(shapes.discussion(call.state, call.repo, pull, _thread(pull, number)), 201)


def answer_discussion(call: Call, iid: int, discussion: str) -> Result:
    """``POST …/discussions/:discussion_id/notes``."""
    pull = call.pull(iid)
    first = _thread(pull, discussion)[1][0]
    first.thread = discussion
    said = _say(call, pull, discussion)
    if said.comment is None:
        return Answer({"commands_changes": {}, "summary": list(said.summary)}, 202)
    said.comment.resolvable = first.resolvable
    return Answer(shapes.note(call.state, call.repo, pull, said.comment), 201)


def resolve(call: Call, iid: int, discussion: str) -> Result:
    """``PUT …/discussions/:discussion_id``: resolve or open again; for the author and those who may write."""
    pull = call.pull(iid)
    thread = _thread(pull, discussion)
    resolved = call.flag("resolved")
    if resolved is None:
        raise Declined(400, "resolved is missing", "error")
    talk.resolve_thread(call.state, call.repo, call.actor, pull, thread[1], resolved)
    call.state.settle_waiting()
    return shapes.discussion(call.state, call.repo, pull, thread)


def _awards(call: Call, iid: int, note_id: int | None) -> tuple[Pull, list[Award], tuple[str, int]]:
    if note_id is None:
        pull = call.pull(iid)
        return pull, pull.awards, ("MergeRequest", pull.id)
    pull, comment = _note(call, iid, note_id)
    return pull, comment.awards, ("Note", comment.id)


def list_awards(call: Call, iid: int, note_id: int | None = None) -> Result:
    """``GET …/award_emoji``."""
    _, awards, on = _awards(call, iid, note_id)
    return Page(awards, lambda which: shapes.award(call.state, which, *on))


def create_award(call: Call, iid: int, note_id: int | None = None) -> Result:
    """``POST …/award_emoji``; the same one twice is refused."""
    pull, awards, on = _awards(call, iid, note_id)
    name = call.need("name").strip(":")
    if any((one.name, one.author) == (name, call.actor.login) for one in awards):
        raise Declined(404, "404 Award Emoji Name has already been taken Not Found")
    made = Award(call.state.new_id(), name, call.actor.login, call.state.now())
    awards.append(made)
    details = {"award": made, "on": on}
    call.state.tell(Happening(Topic.AWARD, "award", call.repo, call.actor, pull, details))
    return Answer(shapes.award(call.state, made, *on), 201)


def delete_award(call: Call, iid: int, award_id: int, note_id: int | None = None) -> Result:
    """``DELETE …/award_emoji/:award_id``: one's own."""
    pull, awards, on = _awards(call, iid, note_id)
    found = next((one for one in awards if one.id == award_id), None)
    if found is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    if found.author != call.actor.login:
        raise Refused("Forbidden", Refusal.FORBIDDEN)
    awards.remove(found)
    details = {"award": found, "on": on}
    call.state.tell(Happening(Topic.AWARD, "revoke", call.repo, call.actor, pull, details))
    return Answer(None, 204)


def draft_notes(_: Call, iid: int) -> Result:
    """``GET …/draft_notes``: nobody drafts here."""
    del iid
    return []


_ONE = "projects/<id>/merge_requests/<int:iid>"
_NOTE = f"{_ONE}/notes/<int:note_id>"
_TALK = f"{_ONE}/discussions"
ROUTES = (
    Route("GET", f"{_ONE}/notes", list_notes),
    Route("POST", f"{_ONE}/notes", create_note),
    Route("GET", _NOTE, get_note),
    Route("PUT", _NOTE, edit_note),
    Route("DELETE", _NOTE, delete_note),
    Route("GET", _TALK, list_discussions),
    Route("POST", _TALK, create_discussion),
    Route("GET", f"{_TALK}/<discussion>", get_discussion),
    Route("PUT", f"{_TALK}/<discussion>", resolve),
    Route("POST", f"{_TALK}/<discussion>/notes", answer_discussion),
    Route("GET", f"{_ONE}/award_emoji", list_awards),
    Route("POST", f"{_ONE}/award_emoji", create_award),
    Route("DELETE", f"{_ONE}/award_emoji/<int:award_id>", delete_award),
    Route("GET", f"{_NOTE}/award_emoji", list_awards),
    Route("POST", f"{_NOTE}/award_emoji", create_award),
    Route("DELETE", f"{_NOTE}/award_emoji/<int:award_id>", delete_award),
    Route("GET", f"{_ONE}/draft_notes", draft_notes),
)
