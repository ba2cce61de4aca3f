from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from django_hyber import outbox
from django_hyber.errors import was_deleted
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import Campaign, Message

logger = logging.getLogger("django_hyber")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
#: Seconds before each retry; a server takes a few to restart.
PAUSES = (0.05, 0.2, 1.0, 3.0)
#: More rows than any table has.
SKIPPING_ALL = 2**40
#: Django has only exclusive locks. SQLite has a single writer.
_SHARED_LOCKS = MappingProxyType({"postgresql": " FOR SHARE", "mysql": " LOCK IN SHARE MODE"})

#: The isolation level is the last column. MariaDB and MySQL have different names for it.
_LEVELS = MappingProxyType(
    {
        "postgresql": "SHOW transaction_isolation",
        "mysql": "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')",
    }
)


def database() -> str:
    """Return the alias of the database that the tables are written to and read from."""
    return router.db_for_write(Message)


def db_connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to that database."""
    return connections[database()]


@contextmanager
def atomic() -> Iterator[None]:
    """Open a transaction in that database.

    It reads what others have committed, whatever level the project has chosen for its own transactions: what is counted
    after a lock would otherwise be what there was before the lock. A transaction of the caller keeps its level.
    """
    connection = db_connection()
    is_own = not connection.in_atomic_block
    with transaction.atomic(using=connection.alias):
        options = repr(connection.settings_dict["OPTIONS"])
        if is_own and connection.vendor in _LEVELS and not _reads_committed(connection.alias, options):
            _execute_quietly(connection, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


# Cached: it would be one more query in each transaction.
@cache
def _reads_committed(alias: str, _options: str) -> bool:
    """Return whether transactions of connections with these options see what is committed while they last."""
    connection = connections[alias]
    level: str = _execute_quietly(connection, _LEVELS[connection.vendor])[-1]
    return level.upper().replace("-", " ") == "READ COMMITTED"


def _execute_quietly(connection: BaseDatabaseWrapper, sql: str) -> Any:
    """Return the first row. The driver's cursor: this is none of the queries that a project logs or counts."""
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def refuse_transaction() -> None:
    """Raise RuntimeError inside a transaction, which could roll back the following writes.

    A claim that is rolled back after its request was sent would be claimed and sent again. Without autocommit, every
    statement is in a transaction. The transaction of Django's TestCase is allowed.
    """
    connection = db_connection()
    if connection.in_atomic_block:
        with transaction.atomic(using=connection.alias, durable=True):
            return
    if not connection.get_autocommit():
        raise RuntimeError("Messages are sent only with autocommit, because a transaction could be rolled back.")


@contextmanager
def write_transaction() -> Iterator[None]:
    """Open a transaction that reads before it writes.

    On SQLite it takes the write lock at once. A read transaction could not become a write transaction there after
    another process has written.
    """
    with atomic():
        if db_connection().vendor == "sqlite":
            Message.objects.filter(pk=-1).update(attempts=0)
        yield


@contextmanager
def existing(campaign: Campaign) -> Iterator[None]:
    """Raise CampaignError in place of Campaign.DoesNotExist, for a campaign that was deleted at the same moment."""
    try:
        yield
    except Campaign.DoesNotExist:
        raise was_deleted(campaign.name) from None


def close_lost_connection() -> None:
    """Close the connection if it failed and is unusable, so that the next query opens a new one.

    Django does this between requests. Celery does not do it between tasks if it keeps connections open: after a restart
    of the database, every task of the worker would fail.
    """
    connection = db_connection()
    if connection.errors_occurred:
        connection.close_if_unusable_or_obsolete()


def is_lost(driver_connection: Any) -> bool:
    """Return whether this connection of the driver has broken off. What was being committed then may be committed."""
    connection = db_connection()
    return connection.connection is not driver_connection or not connection.is_usable()


def insisting(record: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Retry a function that was rolled back by a deadlock, a lost connection or a locked database file.

    It is used to store callbacks and the platform's answers, because an answer that is lost has to be queried again,
    and for claims that workers compete for. The function must be safe to repeat.
    """

    @wraps(record)
    def insist(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for pause in PAUSES:
            connection = db_connection()
            # The whole outer transaction is lost, so a part of it cannot be retried.
            if connection.in_atomic_block:
                break
            try:
                return record(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                logger.warning(
                    "The database failed; the write is retried: %s",
                    type(error).__name__,
                    extra={"event": LogEvent.DATABASE_RETRY, "error": type(error).__name__},
                )
                connection.close_if_unusable_or_obsolete()
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads load, guards nothing
        return record(*args, **kwargs)

    return insist


def lock(messages: QuerySet[Message]) -> list[int]:
    """Lock the messages until the end of the transaction and return their primary keys.

    All code that locks many messages must use this order. An UPDATE locks rows in the order in which it finds them and
    could deadlock with another one, or with incoming reports.
    """
    return list(_in_order(messages))


def lock_unread(messages: QuerySet[Message]) -> None:
    """Lock them as ``lock`` does, without reading the keys, which takes several times as long as locking the rows."""
    if db_connection().features.has_select_for_update:
        # The rows that an OFFSET skips are locked too.
        list(_in_order(messages)[SKIPPING_ALL:])


def lock_shared(rows: QuerySet[Any]) -> bool:
    """Return whether there is such a row, and let nobody change it until the end of the transaction.

    Others may lock it in the same way. Waits for transactions that have changed it, and sees what they have committed.
    """
    connection = db_connection()
    sql, parameters = rows.order_by().values_list("pk").query.get_compiler(connection.alias).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(sql + _SHARED_LOCKS.get(connection.vendor, ""), parameters)
        return cursor.fetchone() is not None


def _in_order(messages: QuerySet[Message]) -> QuerySet[Message, int]:
    return messages.order_by("pk").select_for_update().values_list("pk", flat=True)


def after_commit(function: Callable[..., object], *arguments: object) -> None:
    """Call the function after the transaction is committed. Exceptions are logged.

    In tests with the outbox, the transaction of Django's TestCase, which is never committed, counts as none: the end of
    a block within it counts as the commit.
    """

    # A plain function: Django logs its name, and a functools.partial has none.
    def call() -> None:
        function(*arguments)

    if outbox.is_active() and _is_in_test_case():
        _call_robustly(call)
        return
    transaction.on_commit(call, using=database(), robust=True)
    if outbox.is_active():
        _call_at_end_of_block()


def _is_in_test_case() -> bool:
    """Return whether no transaction is open but that of Django's TestCase."""
    blocks = db_connection().atomic_blocks
    return bool(blocks) and all(block._from_testcase for block in blocks)  # type: ignore[attr-defined]


def _call_at_end_of_block() -> None:
    """Call what waits for a commit when the outermost block within a TestCase ends, unless that is rolled back.

    Django tells nobody about that end, so it is taken from the release of the block's savepoint.
    """
    connection = db_connection()
    if "savepoint_commit" in vars(connection):
        return
    release = connection.savepoint_commit

    def savepoint_commit(sid: str) -> None:
        release(sid)
        if _is_in_test_case():
            del connection.savepoint_commit
            _call_as_committed(connection)

    connection.savepoint_commit = savepoint_commit  # type: ignore[method-assign]


def _call_as_committed(connection: BaseDatabaseWrapper) -> None:
    """Call what this module has registered. Functions of the project wait as usual."""
    own = [entry for entry in connection.run_on_commit if entry[1].__module__ == __name__]
    connection.run_on_commit[:] = [entry for entry in connection.run_on_commit if entry not in own]
    for entry in own:
        _call_robustly(entry[1])


def _call_robustly(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001  it is logged
        log_failure(LogEvent.HOOK_FAILED, error, "A function failed that is called after the commit")
