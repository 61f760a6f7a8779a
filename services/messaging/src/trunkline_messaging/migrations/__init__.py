"""The schema of messaging: versions that alembic applies in their order."""
