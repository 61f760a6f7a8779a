"""Controls in the order in which they were asked; contacts that are added to a run that goes on.

Revision ID: 0051
Revises: 0040
"""

from alembic import op

revision = "0051"
down_revision = "0040"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN last_moves bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_edits bigint NOT NULL DEFAULT 0;

CREATE TABLE additions (
    control_id     text COLLATE "C" PRIMARY KEY,
    run_id         text COLLATE "C" NOT NULL REFERENCES runs,
    business_id    text COLLATE "C" NOT NULL,
    pieces         integer,
    added          integer NOT NULL DEFAULT 0,
    rejects        integer NOT NULL DEFAULT 0,
    began_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz
);
CREATE INDEX additions_open ON additions (run_id) WHERE ended_at IS NULL;
CREATE TABLE addition_pieces (
    control_id text COLLATE "C" NOT NULL REFERENCES additions,
    piece      integer NOT NULL,
    run_id     text COLLATE "C" NOT NULL,
    PRIMARY KEY (control_id, piece)
);
CREATE INDEX addition_pieces_of_run ON addition_pieces (run_id);
"""


def upgrade() -> None:
    """Add what they need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
