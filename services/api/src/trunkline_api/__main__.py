"""python -m trunkline_api {all,api,worker,serve,consume,relay,schedule,migrate}"""

from __future__ import annotations

import sys

from trunkline_api.app import main

if __name__ == "__main__":
    sys.exit(main())
