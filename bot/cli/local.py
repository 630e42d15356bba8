"""A Git host that is only this checkout: one change, whose comment is kept instead of posted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bot.core.errors import HostDenied
from bot.core.events import Delivery, Hint, Ignored
from bot.core.model import Change, ChangeRef, ChangeState, Commit, Home, HostFacts, Permission, RepoRef
from bot.mirror.git import pull_ref
from bot.ports import Budget, Capabilities, ChangeStub, CheckToSet, MergeOutcome

REPO = RepoRef("local", "checkout/here")
REF = ChangeRef(REPO, 1)
ME = "you"
LIMIT = 1_000_000


class LocalHost:
    """Implements the port ``Host`` for ``headgate plan``; ``repository`` is where its two commits are."""

    def __init__(self, repository: Path, base_ref: str, base: str, head: str, now: datetime) -> None:
        self._repository = repository
        self._change = Change(
            ref=REF,
            title="this checkout",
            author=ME,
            state=ChangeState.OPEN,
            head_sha=head,
            head_ref="HEAD",
            head_repo=REPO,
            base_ref=base_ref,
            base_sha=base,
            created_at=now,
            updated_at=now,
        )
        self.comments: dict[str, str] = {}

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Nobody posts here."""
        del headers, body, at
        raise HostDenied("a checkout receives no webhooks")

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """Nobody posts here."""
        del delivery
        return (Ignored("a checkout"),)

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """The one change: what HEAD has that the base has not."""
        del ref, known, checks
        head = self._change.head_sha
        commits = (Commit(head, ME, ME),)
        return HostFacts(self._change, commits=commits, permissions={ME: Permission.ADMIN}, pushers={head: ME})

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """It is your own checkout."""
        del repo, login
        return Permission.ADMIN

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Nobody else is here."""
        del repo
        return {ME: Permission.ADMIN}

    def repositories(self) -> tuple[RepoRef, ...]:
        """The one."""
        return (self._change.ref.repo,)

    def members(self, group: str) -> frozenset[str] | None:
        """No team is known here."""
        del group
        return None

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Nothing moves."""
        del repo, since
        return ()

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """None."""
        del repo, sha
        return ()

    def home(self, repo: RepoRef) -> Home | None:
        """It never moves."""
        del repo
        return None

    def about(self, delivery: Delivery) -> Home | None:
        """No webhooks come here."""
        del delivery
        return None

    def default_branch(self, repo: RepoRef) -> str:
        """The base that was asked for."""
        del repo
        return self._change.base_ref

    def clone_url(self, repo: RepoRef) -> str:
        """Where the checkout's commits can be fetched."""
        del repo
        return str(self._repository)

    def change_name(self, number: int) -> str:
        """Where the preparation puts the head."""
        return pull_ref(number)

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:
        """None are needed."""
        del repo
        return None

    def budget(self) -> Budget:
        """There is no limit."""
        return Budget()

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Nobody is called."""
        return {}

    def own_login(self) -> str:
        """Our name in the texts."""
        return "headgate"

    def capabilities(self) -> Capabilities:
        """As large as any host's comment."""
        return Capabilities(LIMIT, review_has_sha=True, required_by_name=True, rich_checks=False)

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Keep it."""
        del ref
        name = comment_id or str(len(self.comments) + 1)
        self.comments[name] = body
        return name

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Forget it."""
        del ref
        self.comments.pop(comment_id, None)

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """Nobody sees checks here."""

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Never from here."""
        del ref, head_sha, method, message
        return MergeOutcome.NOT_MERGEABLE

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """Never from here."""
        del repo, sha, environment, state, url, description
        return deployment_id
