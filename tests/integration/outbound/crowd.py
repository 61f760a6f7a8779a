"""Many jobs and attempts of a run, without the way of each: what is there is copied."""

from __future__ import annotations

from tests.integration.outbound.scene import Scene

_JOBS = """
INSERT INTO jobs (run_id, seq, business_id, contact_id, address)
SELECT run_id, n, business_id, contact_id, '+1999' || n
  FROM jobs, generate_series(2, CAST(:many AS bigint)) AS n WHERE run_id = :r AND seq = 1
RETURNING 1
"""
_TOTAL = "UPDATE cursors SET total = :many WHERE run_id = :r RETURNING 1"
_ATTEMPTS = """
INSERT INTO attempts (attempt_id, business_id, run_id, seq, contact_id, claim_id, channel_id,
                      account, from_number, to_number, state, send_deadline, correlation_id)
SELECT run_id || n, business_id, run_id, n, contact_id, claim_id, channel_id, account,
       from_number, to_number, 'rejected', send_deadline, correlation_id
  FROM attempts, generate_series(2, CAST(:many AS bigint)) AS n WHERE run_id = :r AND seq = 1
RETURNING 1
"""


async def copy_job(scene: Scene, run_id: str, many: int) -> None:
    """A run of one job has many, all queued."""
    await scene.rows(_JOBS, r=run_id, many=many)
    await scene.rows(_TOTAL, r=run_id, many=many)


async def copy_attempt(scene: Scene, run_id: str, many: int) -> None:
    """Whatever became of the first job's attempt, there are many more, all refused."""
    await scene.rows(_ATTEMPTS, r=run_id, many=many)
