"""Requests that carry an idempotency key, and the answers that they were given.

Revision ID: 0170
Revises: 0161
"""

from __future__ import annotations

from alembic import op

revision = "0170"
down_revision = "0161"
branch_labels = None
depends_on = None

_UP = """
-- No reference to businesses: the operator's requests are kept under `operator`.
CREATE TABLE idempotency_keys (
    business_id    text COLLATE "C" NOT NULL,
    key            text COLLATE "C" NOT NULL,
    request_sha256 text NOT NULL,
    token          text NOT NULL,
    locked_until   timestamptz NOT NULL,
    committed_at   timestamptz,
    status         smallint,
    key_id         text,
    sealed         text,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (business_id, key),
    CHECK ((status IS NULL) = (sealed IS NULL) AND (status IS NULL) = (key_id IS NULL))
);
CREATE INDEX idempotency_keys_expire ON idempotency_keys (expires_at);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
