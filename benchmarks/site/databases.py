"""Databases of the benchmarks' own: made for a measurement and dropped after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The variable that names the server, and where it usually is.
SERVERS = {
    "postgres": ("HYBER_BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("HYBER_BENCH_MARIADB_URL", "mysql://root@127.0.0.1:3306/mysql"),
}
ENGINES = ("sqlite", *SERVERS)
CREATE = {
    # The cost for solid-state disks, as docs/deployment.rst recommends.
    "postgres": ('CREATE DATABASE "{name}"', 'ALTER DATABASE "{name}" SET random_page_cost = 1.1'),
    "mariadb": ("CREATE DATABASE `{name}` CHARACTER SET utf8mb4",),
}
DROP = {
    "postgres": 'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
    "mariadb": "DROP DATABASE IF EXISTS `{name}`",
}


@contextmanager
def own_database(name: str, engine: str) -> Iterator[None]:
    """Have this process, before it sets Django up, and those that it starts use an empty database of this name."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.site.settings"
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.sqlite3"
            os.environ |= {"DATABASE_URL": f"sqlite:///{path}", "BENCH_DATABASE": str(path)}
            yield
        return
    variable, usual = SERVERS[engine]
    url = os.environ.get(variable, usual)
    os.environ |= {"DATABASE_URL": url, "BENCH_DATABASE": name}
    _execute(engine, url, *(statement.format(name=name) for statement in (DROP[engine], *CREATE[engine])))
    try:
        yield
    finally:
        _execute(engine, url, DROP[engine].format(name=name))


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
