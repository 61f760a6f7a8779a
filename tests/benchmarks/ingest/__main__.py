"""How fast api takes in what comes: callbacks, requests, files; beside the least that could do it.

    python -m tests.benchmarks.ingest --callbacks 10000 --repeat 3 --rows 1000000

Api is its own process, with every check on; who presses it is another. The ways take turns.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tests.benchmarks.ingest import answered, imports
from tests.benchmarks.report import conditions, write
from tests.benchmarks.stage import servers


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ingest")
    parser.add_argument("--callbacks", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=5_000, help="POSTs, and as many GETs")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3, help="0: only files")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of all files; 0: no files")
    parser.add_argument("--file-rows", type=int, default=100_000, help="of one file")
    parser.add_argument("--out", type=Path, default=Path(".local/benchmarks"))
    return parser.parse_args()


def main() -> None:
    """Measure, and write down what came of it."""
    options = _options()
    before = os.getloadavg()[0]
    with servers() as stage:
        if options.repeat:
            found = answered.measure(
                stage,
                callbacks=options.callbacks,
                requests=options.requests,
                connections=options.connections,
                repeat=options.repeat,
            )
            title = (
                f"Callbacks ({options.callbacks:,}) and requests ({options.requests:,}) over"
                f" {options.connections} connections, medians of {options.repeat}"
            )
            table, raw = answered.table_of(found), answered.raw_of(found)
            write(options.out, "ingest", title, table, raw, conditions(before))
        if options.rows:
            before = os.getloadavg()[0]
            files = imports.measure(stage, rows=options.rows, file_rows=options.file_rows)
            title = f"Import of {options.rows:,} contacts, {options.file_rows:,} in a file"
            table, raw = imports.table_of(files), imports.raw_of(files)
            write(options.out, "ingest-files", title, table, raw, conditions(before))


if __name__ == "__main__":
    main()
