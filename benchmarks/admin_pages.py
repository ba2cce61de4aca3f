"""Response times and queries of every admin page on big tables.

    python -m benchmarks.admin_pages [--messages 1000000] [--on sqlite postgres]

Makes databases of its own and drops them. PostgreSQL and MariaDB have to run; HYBER_BENCH_POSTGRES_URL and
HYBER_BENCH_MARIADB_URL name other servers than those on this machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

DATABASE = "hyber_bench_pages"
SERVERS = {
    "postgres": ("HYBER_BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("HYBER_BENCH_MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
}
CREATE = {
    "postgres": f'CREATE DATABASE "{DATABASE}"',
    "mariadb": f"CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4",
}
DROP = {
    "postgres": f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)',
    "mariadb": f"DROP DATABASE IF EXISTS `{DATABASE}`",
}


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
    parser.add_argument("--on", nargs="+", choices=("sqlite", *SERVERS), default=("sqlite", "postgres"))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(engine: str, messages: int) -> None:
    """Measure in a process of its own: Django keeps to the database that it was started with."""
    command = [sys.executable, "-m", "benchmarks.admin_pages", "--measure", "--messages", str(messages)]
    with tempfile.TemporaryDirectory() as folder:
        if engine == "sqlite":
            named = {"DATABASE_URL": f"sqlite:///{Path(folder) / 'bench.sqlite3'}"}
            named["BENCH_DATABASE"] = str(Path(folder) / "bench.sqlite3")
        else:
            variable, usual = SERVERS[engine]
            named = {"DATABASE_URL": os.environ.get(variable, usual), "BENCH_DATABASE": DATABASE}
            _execute(engine, named["DATABASE_URL"], DROP[engine], CREATE[engine])
        try:
            settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.site.settings"}
            subprocess.run(command, env={**os.environ, **settings, **named}, check=True)
        finally:
            if engine != "sqlite":
                _execute(engine, named["DATABASE_URL"], DROP[engine])


def _execute(engine: str, url: str, *statements: str) -> None:
    if engine == "postgres":
        import psycopg

        with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    import MySQLdb
    from environ import Env

    named = Env.db_url_config(url)
    connection = MySQLdb.connect(
        host=named["HOST"], port=int(named["PORT"] or 3306), user=named["USER"], password=named["PASSWORD"] or ""
    )
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


if __name__ == "__main__":
    main()
