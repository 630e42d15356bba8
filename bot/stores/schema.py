"""The tables. Values live as documents; a column exists only for what a statement asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """A moment as microseconds since 1970 UTC: the same comparison on every database, and never naive."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Words(TypeDecorator[str]):
    """Text, whatever people, tools or hosts put in it: PostgreSQL stores no NUL, and no database a surrogate."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


metadata: Final = MetaData()

# SQLite numbers rows automatically only in a column that is exactly INTEGER PRIMARY KEY.
_Serial = BigInteger().with_variant(Integer(), "sqlite")

settings: Final = Table(
    "setting",
    metadata,
    Column("name", Words, primary_key=True),
    Column("value", Words, nullable=False),
)

counters: Final = Table(
    "counter",
    metadata,
    Column("name", Words, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

duties: Final = Table(
    "duty",
    metadata,
    Column("name", Words, primary_key=True),
    Column("holder", Words, nullable=False),
    Column("lease_until", Instant, nullable=False),
)

deliveries: Final = Table(
    "delivery",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("host", Words, nullable=False),
    Column("id", Words, nullable=False),
    Column("event", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("absorbed", Boolean, nullable=False, default=False),
    Column("outcome", Words, nullable=False, default=""),
    UniqueConstraint("host", "id", name="delivery_once"),
)
Index(
    "delivery_waiting",
    deliveries.c.seq,
    sqlite_where=text("absorbed = 0"),
    postgresql_where=text("absorbed = false"),
)

pushers: Final = Table(
    "pusher",
    metadata,
    Column("repo", Words, primary_key=True),
    Column("sha", Words, primary_key=True),
    Column("login", Words, nullable=False),
    Column("at", Instant, nullable=False),
)

changes: Final = Table(
    "change",
    metadata,
    Column("ref", Words, primary_key=True),
    Column("repo", Words, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("memory", Words, nullable=False),
    Column("version", BigInteger, nullable=False, default=0),
    Column("dirty", BigInteger, nullable=False, default=0),
    Column("cleared", BigInteger, nullable=False, default=0),
    # the newest mark that asks for a refetch; 0 when none does
    Column("refetch_mark", BigInteger, nullable=False, default=0),
    Column("dirty_since", Instant),
    Column("state", Words, nullable=False, default=""),
    Column("open", Boolean, nullable=False, default=True),
    Column("head_sha", Words, nullable=False, default=""),
    Column("base_ref", Words, nullable=False, default=""),
    Column("author", Words, nullable=False, default="", server_default=""),
    Column("merge_sha", Words, nullable=False, default=""),
    Column("wake_at", Instant),
    Column("updated_at", Instant, nullable=False),
    Column("hinted_head", Words, nullable=False, default=""),
    Column("hinted_at", Instant),
    Column("lease_holder", Words, nullable=False, default=""),
    Column("lease_until", Instant),
)
Index(
    "change_dirty",
    changes.c.dirty_since,
    sqlite_where=text("dirty <> cleared"),
    postgresql_where=text("dirty <> cleared"),
)
Index("change_wake", changes.c.wake_at)
Index("change_updated", changes.c.updated_at)
Index("change_author", changes.c.author)
Index("change_open", changes.c.repo, changes.c.open)
Index("change_head", changes.c.repo, changes.c.head_sha)
Index("change_merge", changes.c.repo, changes.c.merge_sha)

runs: Final = Table(
    "run",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Words, nullable=False, unique=True),
    Column("change", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("environment", Words, nullable=False),
    Column("target", Words, nullable=False),
    Column("repo", Words, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("token", BigInteger, nullable=False, default=0),
    Column("lease_until", Instant),
    Column("stop", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("document", Words, nullable=False),
)
Index("run_change", runs.c.change, runs.c.seq)
Index("run_repo", runs.c.repo, runs.c.created_at)
Index("run_state", runs.c.state, runs.c.kind, runs.c.seq)

intents: Final = Table(
    "intent",
    metadata,
    Column("target", Words, primary_key=True),
    Column("change", Words, primary_key=True),
    Column("project", Words, primary_key=True),
    Column("repo", Words, nullable=False),
    Column("branch", Words, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sha", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("since", Instant, nullable=False),
    Column("reason", Words, nullable=False, default=""),
)
Index("intent_order", intents.c.target, intents.c.repo, intents.c.position)
Index("intent_change", intents.c.change)

concerns: Final = Table(
    "change_target",
    metadata,
    Column("target", Words, primary_key=True),
    Column("change", Words, primary_key=True),
)
Index("change_target_change", concerns.c.change)

targets: Final = Table(
    "target",
    metadata,
    Column("target", Words, primary_key=True),
    Column("deployed_sha", Words, nullable=False, default=""),
    Column("deployed_order", BigInteger, nullable=False, default=0),
    Column("deployed_repo", Words, nullable=False, default=""),
    Column("deployed_at", Instant),
    Column("deployed_branch", Words, nullable=False, default="", server_default=""),
    Column("deployed_environment", Words),
    Column("moved_at", Instant),
    Column("locked_by", Words, nullable=False, default=""),
    Column("locked_since", Instant),
)

freezes: Final = Table(
    "freeze",
    metadata,
    Column("repo", Words, primary_key=True),
    Column("branch", Words, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("at", Instant, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("destination", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("document", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Instant, nullable=False),
    Column("reason", Words, nullable=False, default=""),
    UniqueConstraint("destination", "key", name="outbox_once"),
)
Index("outbox_due", outbox.c.state, outbox.c.due_at)

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("subject", Words, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("document", Words, nullable=False),
    Column("previous", Words, nullable=False),
    Column("hash", Words, nullable=False),
    UniqueConstraint("subject", "position", name="audit_position"),
)

chains: Final = Table(
    "audit_chain",
    metadata,
    Column("subject", Words, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", Words, nullable=False),
    # the position that the newest checkpoint has signed
    Column("signed", BigInteger, nullable=False, default=0),
)
Index(
    "audit_chain_unsigned",
    chains.c.subject,
    sqlite_where=text("position <> signed"),
    postgresql_where=text("position <> signed"),
)

checkpoints: Final = Table(
    "audit_checkpoint",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("document", Words, nullable=False),
    Column("mac", Words, nullable=False),
)

effect_sets: Final = Table(
    "effect_set",
    metadata,
    Column("fingerprint", Words, primary_key=True),
    Column("document", Words, nullable=False),
    Column("used_at", Instant, nullable=False),
)

blobs: Final = Table(
    "blob",
    metadata,
    Column("name", Words, primary_key=True),
    Column("owner", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("blob_created", blobs.c.created_at)

logs: Final = Table(
    "run_log",
    metadata,
    Column("run", Words, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("run_log_at", logs.c.at)
