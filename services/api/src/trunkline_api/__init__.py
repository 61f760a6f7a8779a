"""The public API: businesses, keys, contacts, runs, and the providers' callbacks."""
