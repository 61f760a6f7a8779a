"""`python -m trunkline_messaging`: messaging's processes, and what each needs."""

from __future__ import annotations

import sys

from trunkline_messaging.app import SERVICE

if __name__ == "__main__":
    from trunkline_common.processes import run_service

    sys.exit(run_service(SERVICE))
