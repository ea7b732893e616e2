"""The database's own refusal to change, delete or empty audit rows, whoever asks and by whatever way.

Put in place by a migration and again after every ``migrate``: on SQLite, a later migration that rebuilds the table would
leave it without. Both databases say ``IntegrityError``. Who may drop a trigger can still write; then the chain tells.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

EVENT, CHECKPOINT, CHAIN = "agencies_auditevent", "agencies_auditcheckpoint", "agencies_auditchain"
REFUSAL = "The audit log is append-only."
FIXED = (
    *("id", "agency_id", "at", "action", "subject", "why", "model", "row_id", "detail", "actor_number", "actor_name"),
    *("chain", "sequence", "previous", "hash", "seal"),
)  # fmt: skip
"""Every column of an event but the link to the person's account, which goes when the account is deleted."""

_COVERED = f"EXISTS (SELECT 1 FROM {CHECKPOINT} c WHERE c.chain = OLD.chain AND c.sequence >= OLD.sequence)"  # nosec B608 - constants
_SAME = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in FIXED)
_SQLITE = {
    "audit_event_kept": f"BEFORE DELETE ON {EVENT} WHEN NOT {_COVERED}",
    "audit_event_unchanged": f"BEFORE UPDATE ON {EVENT} WHEN NOT (NEW.actor_id IS NULL AND {_SAME})",
    "audit_checkpoint_kept": f"BEFORE DELETE ON {CHECKPOINT}",
    "audit_checkpoint_unchanged": f"BEFORE UPDATE ON {CHECKPOINT}",
    "audit_chain_kept": f"BEFORE DELETE ON {CHAIN}",
    "audit_chain_grows": f"BEFORE UPDATE ON {CHAIN} WHEN NEW.length < OLD.length OR NEW.key <> OLD.key",
}
_TABLES = {name: words.split(" ON ")[1].split()[0] for name, words in _SQLITE.items()}
_EMPTYING = {
    "audit_event_not_emptied": EVENT,
    "audit_checkpoint_not_emptied": CHECKPOINT,
    "audit_chain_not_emptied": CHAIN,
}
"""PostgreSQL empties a table without touching a row: triggers for each row never hear of it. SQLite has no such statement."""
_POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
  ELSIF TG_TABLE_NAME = '{EVENT}' THEN
    IF TG_OP = 'DELETE' THEN
      IF {_COVERED} THEN RETURN OLD; END IF;
    ELSIF NEW.actor_id IS NULL AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' THEN
      RETURN NEW;
    END IF;
  ELSIF TG_TABLE_NAME = '{CHAIN}' AND TG_OP = 'UPDATE' THEN
    IF NEW.length >= OLD.length AND NEW.key = OLD.key THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
END $$
"""


def drop_statements(vendor: str) -> list[str]:
    """The SQL that takes the guards away: for a migration backwards, and for emptying a database of tests."""
    if vendor == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE]
    if vendor == "postgresql":
        return [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, table in (_TABLES | _EMPTYING).items()]
    return []


def drop_emptying_statements(vendor: str) -> list[str]:
    """Those that take away what migration 0009 brought, and leave the rest."""
    if vendor != "postgresql":
        return []
    return [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, table in _EMPTYING.items()]


def create_statements(vendor: str) -> list[str]:
    """The SQL that puts the guards in place, replacing those that are there."""
    drops = drop_statements(vendor)
    if vendor == "sqlite":
        return drops + [
            f"CREATE TRIGGER {name} {words} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            for name, words in _SQLITE.items()
        ]
    if vendor == "postgresql":
        creates = [
            f"CREATE TRIGGER {name} BEFORE {words.split()[1]} ON {_TABLES[name]} FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
            for name, words in _SQLITE.items()
        ]
        creates += [
            f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
            for name, table in _EMPTYING.items()
        ]
        return [_POSTGRES_FUNCTION, *drops, *creates]
    return []


def guards_missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the triggers that should be there and are not. One query."""
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
    }
    if connection.vendor not in asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(asked[connection.vendor])
        found = {row[0] for row in cursor.fetchall()}
    wanted = [*_SQLITE, *(_EMPTYING if connection.vendor == "postgresql" else ())]
    return [name for name in wanted if name not in found]


def guards_install(connection: BaseDatabaseWrapper) -> None:
    """Put the guards in place."""
    with connection.cursor() as cursor:
        for statement in create_statements(connection.vendor):
            cursor.execute(statement)


def guards_remove(connection: BaseDatabaseWrapper) -> None:
    """Take the guards away."""
    with connection.cursor() as cursor:
        for statement in drop_statements(connection.vendor):
            cursor.execute(statement)


def guards_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: a rebuilt table gets its guards back."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    if {EVENT, CHECKPOINT, CHAIN} <= tables and guards_missing(connection):
        guards_install(connection)
