"""Pace and open sends belong to a business's account; a pace can be lowered.

Rows with the old keys stay for the version that is running, which asks by the account alone.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from trunkline_common.db import pace

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The key is that of `trunkline_common.ids.account_scope`.
PACE = """
INSERT INTO pace (sender, per_second, tat)
SELECT DISTINCT ON (channel.business_id, channel.account)
       channel.business_id || '/' || channel.account, channel.per_second,
       coalesce(known.tat, '-infinity')
  FROM channels AS channel LEFT JOIN pace AS known ON known.sender = channel.account
 ORDER BY channel.business_id, channel.account, channel.version DESC
ON CONFLICT (sender) DO NOTHING;
"""
# The account stays first in the key, for the queries of the version that is running.
OPEN_SENDS = """
ALTER TABLE open_sends ADD COLUMN business_id text COLLATE "C" NOT NULL DEFAULT '';
UPDATE open_sends SET business_id = messages.business_id
  FROM messages WHERE messages.attempt_id = open_sends.attempt_id;
ALTER TABLE open_sends DROP CONSTRAINT open_sends_pkey,
      ADD PRIMARY KEY (account, address, business_id);
"""


def upgrade() -> None:
    for script in (pace.TABLE_V2, PACE, OPEN_SENDS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("keys that businesses share are not taken back: restore a backup")
