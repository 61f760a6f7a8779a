"""`python -m trunkline_dev.contacts` writes deploy/dev/contacts.csv anew."""

from __future__ import annotations

from trunkline_dev.checkout import checkout_root
from trunkline_dev.contacts.sheet import ROWS, sheet


def main() -> None:
    """Write the file."""
    target = checkout_root() / "deploy" / "dev" / "contacts.csv"
    target.write_bytes(sheet())
    print(f"{target.relative_to(checkout_root())}: {ROWS} rows")


if __name__ == "__main__":
    main()
