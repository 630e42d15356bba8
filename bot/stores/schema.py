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


metadata: Final = MetaData()

# SQLite numbers rows automatically only in a column that is exactly INTEGER PRIMARY KEY.
_Serial = BigInteger().with_variant(Integer(), "sqlite")

settings: Final = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

counters: Final = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

duties: Final = Table(
    "duty",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("lease_until", Instant, nullable=False),
)

deliveries: Final = Table(
    "delivery",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("host", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("absorbed", Boolean, nullable=False, default=False),
    Column("outcome", Text, nullable=False, default=""),
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
    Column("repo", Text, primary_key=True),
    Column("sha", Text, primary_key=True),
    Column("login", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

changes: Final = Table(
    "change",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("memory", Text, nullable=False),
    Column("version", BigInteger, nullable=False, default=0),
    Column("dirty", BigInteger, nullable=False, default=0),
    Column("cleared", BigInteger, nullable=False, default=0),
    # the newest mark that asks for a refetch; 0 when none does
    Column("refetch_mark", BigInteger, nullable=False, default=0),
    Column("dirty_since", Instant),
    Column("state", Text, nullable=False, default=""),
    Column("open", Boolean, nullable=False, default=True),
    Column("head_sha", Text, nullable=False, default=""),
    Column("base_ref", Text, nullable=False, default=""),
    Column("merge_sha", Text, nullable=False, default=""),
    Column("wake_at", Instant),
    Column("updated_at", Instant, nullable=False),
    Column("hinted_head", Text, nullable=False, default=""),
    Column("hinted_at", Instant),
    Column("lease_holder", Text, nullable=False, default=""),
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
Index("change_open", changes.c.repo, changes.c.open)
Index("change_head", changes.c.repo, changes.c.head_sha)
Index("change_merge", changes.c.repo, changes.c.merge_sha)

runs: Final = Table(
    "run",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("change", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("repo", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("token", BigInteger, nullable=False, default=0),
    Column("lease_until", Instant),
    Column("stop", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("document", Text, nullable=False),
)
Index("run_change", runs.c.change, runs.c.seq)
Index("run_state", runs.c.state, runs.c.kind, runs.c.seq)

intents: Final = Table(
    "intent",
    metadata,
    Column("target", Text, primary_key=True),
    Column("change", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("repo", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sha", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("reason", Text, nullable=False, default=""),
)
Index("intent_order", intents.c.target, intents.c.repo, intents.c.position)
Index("intent_change", intents.c.change)

concerns: Final = Table(
    "change_target",
    metadata,
    Column("target", Text, primary_key=True),
    Column("change", Text, primary_key=True),
)
Index("change_target_change", concerns.c.change)

targets: Final = Table(
    "target",
    metadata,
    Column("target", Text, primary_key=True),
    Column("deployed_sha", Text, nullable=False, default=""),
    Column("deployed_order", BigInteger, nullable=False, default=0),
    Column("deployed_repo", Text, nullable=False, default=""),
    Column("deployed_at", Instant),
    Column("locked_by", Text, nullable=False, default=""),
    Column("locked_since", Instant),
)

freezes: Final = Table(
    "freeze",
    metadata,
    Column("repo", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("destination", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Instant, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    UniqueConstraint("destination", "key", name="outbox_once"),
)
Index("outbox_due", outbox.c.state, outbox.c.due_at)

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("subject", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("subject", "position", name="audit_position"),
)

chains: Final = Table(
    "audit_chain",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
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
    Column("document", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

effect_sets: Final = Table(
    "effect_set",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("used_at", Instant, nullable=False),
)

blobs: Final = Table(
    "blob",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("blob_created", blobs.c.created_at)

logs: Final = Table(
    "run_log",
    metadata,
    Column("run", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("run_log_at", logs.c.at)
