"""A pull request as a story sees it: who opened, judged, discussed and merged it, and how it stands."""

from __future__ import annotations

import secrets
from dataclasses import replace

from bot.forge import merging, pipelines, pulls, reports, talk
from bot.forge.faces import FACES, Face
from bot.forge.gitlab import status_checks
from bot.forge.gitstore import FileChange
from bot.forge.merge_queue import MergeQueue
from bot.forge.model import (
    Actor,
    Comment,
    MergeMethod,
    Pull,
    Refused,
    Repo,
    Review,
    ReviewState,
)
from bot.forge.rules import Check, checks_of, newest_check_runs
from bot.forge.rulesets import in_force
from bot.forge.state import State


class PullStory:
    """A pull request as a story sees it. Everything that acts names who acts and raises Refused like the host."""

    def __init__(self, state: State, repo: Repo, pull: Pull) -> None:
        self._state = state
        self._repo = repo
        self._pull = pull

    @property
    def number(self) -> int:
        """Its number in the repository."""
        return self._pull.number

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self._state.root}/{self._repo.full_name}/{self._face.page}/{self.number}"

    @property
    def _face(self) -> Face:
        return FACES[self._state.face]

    # acting

    def approve(self, by: str, body: str = "", sha: str | None = None) -> Review:
        """Approve the head (or an older commit, where a host can)."""
        with self._state.lock:
            return self._face.approve(self._state, self._repo, Actor(by), self._pull, body, sha)

    def request_changes(self, by: str, body: str = "Please change this.") -> Review:
        """Ask for changes."""
        return self._review(by, ReviewState.CHANGES_REQUESTED, body, None)

    def _review(self, by: str, verdict: ReviewState, body: str, sha: str | None) -> Review:
        with self._state.lock:
            return talk.submit_review(self._state, self._repo, Actor(by), self._pull, verdict, body, sha)

    def dismiss(self, by: str, review: Review) -> Review:
        """Make a review not count any more."""
        with self._state.lock:
            return talk.dismiss_review(self._state, self._repo, Actor(by), self._pull, review.id)

    def comment(self, by: str, text: str) -> Comment:
        """Say something; a host that takes it all for orders to itself does not keep it."""
        with self._state.lock:
            return self._face.say(self._state, self._repo, Actor(by), self._pull, text)

    def open_thread(self, by: str, text: str) -> Comment:
        """Say something that somebody has to resolve."""
        with self._state.lock:
            return talk.add_comment(
                self._state, self._repo, Actor(by), self._pull, text, thread=secrets.token_hex(20)
            )

    def resolve_threads(self, by: str) -> None:
        """Say that every thread is settled."""
        with self._state.lock:
            talk.resolve_thread(self._state, self._repo, Actor(by), self._pull, self._pull.comments, True)
            self._state.settle_waiting()

    def edit_comment(self, by: str, comment: Comment, text: str) -> Comment:
        """Change a comment."""
        with self._state.lock:
            return talk.edit_comment(self._state, self._repo, Actor(by), comment.id, text)

    def delete_comment(self, by: str, comment: Comment) -> None:
        """Withdraw a comment."""
        with self._state.lock:
            talk.delete_comment(self._state, self._repo, Actor(by), comment.id)

    def merge(self, by: str, method: str = "merge", bypass: bool = False, sha: str | None = None) -> str:
        """Merge and give the new tip of the base; ``bypass`` uses an administrator's right to go around the rules."""
        wish = merging.MergeWish(MergeMethod(method), sha, bypass=bypass, joined=self._face.joined_squash)
        with self._state.lock:
            return merging.merge(self._state, self._repo, Actor(by), self._pull, wish, self._face.blockers)

    def update_branch(self, by: str) -> str:
        """Merge the base into the head branch and give the new head."""
        with self._state.lock:
            return merging.update_branch(self._state, self._repo, Actor(by), self._pull, None)

    def press(self, by: str, check: str, button: str = "") -> None:
        """Press "Re-run" of a check run on the head, or the button of that identifier."""
        with self._state.lock:
            runs = newest_check_runs(self._repo, self._pull.head_sha)
            run = next(each for each in runs if each.name == check)
            reports.press(self._state, self._repo, Actor(by), run, button)

    def retry_check(self, by: str, name: str) -> None:
        """Have a service outside asked again whose check failed."""
        with self._state.lock:
            check = next(each for each in self._repo.external_checks.values() if each.name == name)
            status_checks.retry(self._state, self._repo, Actor(by), self._pull, check)

    def enqueue(self, by: str, queue: MergeQueue) -> None:
        """Put it into the merge queue."""
        with self._state.lock:
            queue.add(self._pull, Actor(by))

    def tried(self, by: str, word: str, name: str = "build") -> None:
        """What somebody's job says in the pipeline of its car on the merge train."""
        with self._state.lock:
            order = self._pull.waiting_merge
            if order is None or order.car is None:
                raise Refused("It is on no merge train")
            said = pipelines.Report(word, name, pipelines.train_ref(self.number), order.car.pipeline)
            pipelines.report(self._state, self._repo, Actor(by), order.car.sha, said)

    def close(self, by: str) -> None:
        """Close without merging."""
        with self._state.lock:
            pulls.close_pull(self._state, self._repo, Actor(by), self._pull)

    def reopen(self, by: str) -> None:
        """Open again."""
        with self._state.lock:
            pulls.reopen(self._state, self._repo, Actor(by), self._pull)

    def label(self, by: str, *names: str) -> None:
        """Put labels on."""
        with self._state.lock:
            pulls.add_labels(self._state, self._repo, Actor(by), self._pull, names)

    def unlabel(self, by: str, name: str) -> None:
        """Take a label off."""
        with self._state.lock:
            pulls.remove_label(self._state, self._repo, Actor(by), self._pull, name)

    def retarget(self, by: str, base: str) -> None:
        """Point it at another base branch."""
        with self._state.lock:
            pulls.retarget(self._state, self._repo, Actor(by), self._pull, base)

    def edit(self, by: str, title: str | None = None, body: str | None = None) -> None:
        """Change title or body."""
        with self._state.lock:
            pulls.edit(self._state, self._repo, Actor(by), self._pull, title, body)

    def set_draft(self, by: str, draft: bool = True) -> None:
        """Turn it into a draft, or mark it ready."""
        with self._state.lock:
            pulls.set_draft(self._state, self._repo, Actor(by), self._pull, draft)

    def request_review(self, by: str, *people: str, teams: tuple[str, ...] = ()) -> None:
        """Ask people and teams for a review."""
        with self._state.lock:
            pulls.request_reviewers(self._state, self._repo, Actor(by), self._pull, people, teams)

    def lock_conversation(self, locked: bool = True) -> None:
        """Let only people who may write comment."""
        with self._state.lock:
            self._pull.locked = locked

    # reading

    @property
    def state(self) -> str:
        """``open``, ``closed`` or ``merged``."""
        with self._state.lock:
            if self._pull.merged_at is not None:
                return "merged"
            return "open" if self._pull.open else "closed"

    @property
    def draft(self) -> bool:
        """Whether it is a draft."""
        return self._pull.draft

    @property
    def head_sha(self) -> str:
        """The commit it proposes."""
        return self._pull.head_sha

    @property
    def head_ref(self) -> str:
        """The branch it proposes."""
        return self._pull.head_ref

    @property
    def base_ref(self) -> str:
        """The branch it is meant for."""
        return self._pull.base_ref

    @property
    def merge_sha(self) -> str | None:
        """Where it landed, once merged."""
        return self._pull.merge_sha if self._pull.merged_at is not None else None

    @property
    def labels(self) -> list[str]:
        """The names of its labels."""
        return list(self._pull.labels)

    @property
    def comments(self) -> list[Comment]:
        """The comments as they stand now, oldest first."""
        with self._state.lock:
            return [replace(comment) for comment in self._pull.comments]

    @property
    def reviews(self) -> list[Review]:
        """The reviews as they stand now, oldest first."""
        with self._state.lock:
            return [replace(review) for review in self._pull.reviews]

    def checks(self) -> dict[str, Check]:
        """The checks of the head by name, expected ones included."""
        with self._state.lock:
            rule = in_force(self._repo, self._pull.base_ref)
            return {check.name: check for check in checks_of(self._state, self._repo, self._pull.head_sha, rule)}

    def blockers(self) -> list[str]:
        """Why it cannot be merged now, in the host's words; empty when it can."""
        with self._state.lock:
            reasons = merging.obstacles(self._state, self._repo, self._pull)
            return reasons + self._face.blockers(self._state, self._repo, self._pull)

    def files(self) -> list[FileChange]:
        """The files it changes."""
        with self._state.lock:
            return pulls.pull_files(self._state, self._repo, self._pull)
