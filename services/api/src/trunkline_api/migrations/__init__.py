"""The api schema's history: raw SQL, run by the owner role before a version serves."""
