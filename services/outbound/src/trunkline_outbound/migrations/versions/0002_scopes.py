"""Room, pace, open sends and provider ids belong to a business's account; tries are given back.

Rows with the old keys stay for the version that is running, which asks by the account alone; the
room that is taken moves to the new ones.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from trunkline_common.db import pace

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The key is that of `trunkline_common.ids.account_scope`. Slots first: so do those who free them.
ROOM = """
LOCK TABLE slots, limits IN SHARE ROW EXCLUSIVE MODE;
UPDATE slots SET account = attempts.business_id || '/' || slots.account
  FROM attempts WHERE attempts.attempt_id = slots.attempt_id;
INSERT INTO limits (kind, id, cap, in_use)
SELECT DISTINCT ON (channel.business_id, channel.account)
       'account', channel.business_id || '/' || channel.account, channel.concurrent,
       (SELECT count(*) FROM slots
         WHERE slots.account = channel.business_id || '/' || channel.account)
  FROM channels AS channel
 ORDER BY channel.business_id, channel.account, channel.version DESC;
UPDATE limits SET in_use = (SELECT count(*) FROM slots WHERE slots.account = limits.id)
 WHERE kind = 'account';
"""
PACE = """
INSERT INTO pace (sender, per_second, tat)
SELECT DISTINCT ON (channel.business_id, channel.account)
       channel.business_id || '/' || channel.account, channel.per_second,
       coalesce(known.tat, '-infinity')
  FROM channels AS channel LEFT JOIN pace AS known ON known.sender = channel.account
 WHERE channel.kind = 'voice'
 ORDER BY channel.business_id, channel.account, channel.version DESC
ON CONFLICT (sender) DO NOTHING;
"""
# The account stays first in the keys, for the queries of the version that is running.
KEYS = """
ALTER TABLE open_sends ADD COLUMN business_id text COLLATE "C" NOT NULL DEFAULT '';
UPDATE open_sends SET business_id = attempts.business_id
  FROM attempts WHERE attempts.attempt_id = open_sends.attempt_id;
ALTER TABLE open_sends DROP CONSTRAINT open_sends_pkey,
      ADD PRIMARY KEY (account, from_number, to_number, business_id);
ALTER TABLE provider_calls DROP CONSTRAINT provider_calls_pkey,
      ADD PRIMARY KEY (account, provider_id, business_id);
"""
# `misses`: tries in a row that never became a call, and so are not among the contact's attempts.
# `held_until`: nothing leaves before it, because the provider refused the credentials themselves.
COLUMNS = """
ALTER TABLE jobs ADD COLUMN misses integer NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN held_until timestamptz NOT NULL DEFAULT '-infinity',
                     ADD COLUMN changed_at timestamptz NOT NULL DEFAULT '-infinity';
"""


def upgrade() -> None:
    """Copy limits and pace to their new keys, widen two primary keys, add three columns."""
    for script in (pace.TABLE_V2, ROOM, PACE, KEYS, COLUMNS):
        op.execute(script)


def downgrade() -> None:
    """There is no way back to keys that businesses share."""
    raise RuntimeError("keys that businesses share are not taken back: restore a backup")
