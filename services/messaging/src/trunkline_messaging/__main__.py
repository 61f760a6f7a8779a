"""`python -m trunkline_messaging`: run the service's processes, or migrate its schema."""

from __future__ import annotations

import sys

from trunkline_common.processes import run_service
from trunkline_messaging.app import SERVICE

if __name__ == "__main__":
    sys.exit(run_service(SERVICE, sys.argv[1:]))
