"""The schema of recordings: versions that alembic applies in their order."""
