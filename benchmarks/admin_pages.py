"""Response times and queries of every admin page on big tables.

    python -m benchmarks.admin_pages [--messages 1000000] [--on sqlite postgres]

Makes databases of its own and drops them. PostgreSQL and MariaDB have to run; HYBER_BENCH_POSTGRES_URL and
HYBER_BENCH_MARIADB_URL name other servers than those on this machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.site.databases import ENGINES, own_database

DATABASE = "hyber_bench_pages"


def main() -> None:
    options = _options()
    if options.measure:
        from benchmarks.site.pages import measure

        measure(options.messages)
        return
    for engine in options.on:
        print(f"\n{engine}, {options.messages:,} messages", flush=True)
        _run(engine, options.messages)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--on", nargs="+", choices=ENGINES, default=("sqlite", "postgres"))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(engine: str, messages: int) -> None:
    """Measure in a process of its own: Django keeps to the database that it was started with."""
    command = [sys.executable, "-m", "benchmarks.admin_pages", "--measure", "--messages", str(messages)]
    with own_database(DATABASE, engine):
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
