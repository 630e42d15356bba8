"""What webhooks of several hosts hint at alike: a change touched, a comment, a push, a status."""

from __future__ import annotations

from bot.core.events import BranchMoved, ChangeTouched, CommitTouched, Hint, Ignored
from bot.core.model import ChangeRef, RepoRef
from bot.hosts import shapes
from bot.hosts.fields import has_marker, is_ours, moment


def numbered(repo: RepoRef, number: int) -> ChangeRef | None:
    """The change of that number; None for what can be none."""
    return ChangeRef(repo, number) if 0 < number < shapes.MAX_NUMBER else None


def touched(repo: RepoRef, number: int, head: str, updated_at: object, why: str, pusher: str = "") -> Hint:
    """A change's own event; who pushed is known only together with what."""
    ref, sha = numbered(repo, number), shapes.sha(head)
    if ref is None:
        return Ignored(f"{why}: no number")
    return ChangeTouched(ref, sha, pusher if sha else "", moment(updated_at), why)


def commented(
    ref: ChangeRef, name: str, action: str, *, author: str, body: str, updated_at: object, own: str, sent_by_us: bool
) -> Hint:
    """A comment on a change. With a person's own token their words and ours have one author; what we write bears our
    marker."""
    ours = is_ours(author, body, own)
    if ours and (action == "created" or sent_by_us):
        return Ignored(f"{name}: our own")
    if action != "created" and not ours and (own or not has_marker(body)):
        return Ignored(f"{name}.{action}: later edits ask for nothing")
    why = f"{name}.{action}" + (": ours was altered, it is put back" if ours else "")
    return ChangeTouched(ref, updated_at=moment(updated_at), why=why)


def pushed(
    repo: RepoRef, ref: str, before: str, after: str, pusher: str, *, forced: bool = False, deleted: bool = False
) -> Hint:
    """A push to a branch. Where hosts do not tell that it was forced, who looks at the branch sees it."""
    prefix = "refs/heads/"
    branch = ref.removeprefix(prefix)
    if not ref.startswith(prefix):
        return Ignored("push: not a branch")
    old, new = shapes.moved(before), shapes.moved(after)
    if not shapes.BRANCH.fullmatch(branch) or old is None or new is None:
        return Ignored("push: malformed")
    return BranchMoved(repo, branch, old, "" if deleted else new, pusher, forced)


def reported(repo: RepoRef, sha: str, name: str, what: str) -> Hint:
    """Somebody's status or check of a commit."""
    return CommitTouched(repo, sha, shapes.word(name)) if shapes.sha(sha) else Ignored(f"{what}: no commit")
