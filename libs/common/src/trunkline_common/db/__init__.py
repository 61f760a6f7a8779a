"""PostgreSQL as every service uses it: one engine, one commit, outbox, inbox, leases, pace."""

from trunkline_common.db.engine import Database, open_database
from trunkline_common.db.transaction import transaction

__all__ = ["Database", "open_database", "transaction"]
