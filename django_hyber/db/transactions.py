from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.transaction import Atomic

from django_hyber.models import Message

logger = logging.getLogger("django_hyber")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
#: Seconds before each retry; a server takes a few to restart.
PAUSES = (0.05, 0.2, 1.0, 3.0)


def database() -> str:
    """Return the alias of the database that the tables are written to, and read from."""
    return router.db_for_write(Message)


def db_connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to that database."""
    return connections[database()]


def atomic() -> Atomic:
    """Open a transaction in that database."""
    return transaction.atomic(using=database())


def refuse_transaction() -> None:
    """Raise RuntimeError inside a transaction, which could still undo what is about to be written.

    A claim that is undone after its request went out would be claimed and sent again. The transaction that Django's
    TestCase puts around a test does not count.
    """
    if db_connection().in_atomic_block:
        with transaction.atomic(using=database(), durable=True):
            return


@contextmanager
def write_transaction() -> Iterator[None]:
    """Open a transaction that reads before it writes.

    SQLite refuses to turn a read transaction into a writing one when another process has written meanwhile; there the
    transaction takes the write lock at once, and others wait for it.
    """
    with atomic():
        if db_connection().vendor == "sqlite":
            Message.objects.filter(pk=-1).update(attempts=0)
        yield


def leave_lost_connection() -> None:
    """Close a connection that has failed and is unusable: the next query opens another one.

    Django does that between two requests. Celery, when it keeps connections, does not between two tasks: every task of
    a worker would fail after a restart of the database.
    """
    connection = db_connection()
    if connection.errors_occurred:
        connection.close_if_unusable_or_obsolete()


def insisting(record: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Retry a function that a deadlock, a lost connection or a locked file has rolled back.

    That is for the platform's answers: if one is not stored, the outcome of a whole request has to be queried. It is
    also for claims that two workers may want at once. The function must be safe to repeat.
    """

    @wraps(record)
    def insist(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for pause in PAUSES:
            connection = db_connection()
            # An outer transaction is lost as a whole.
            if connection.in_atomic_block:
                break
            try:
                return record(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database failed, and the result is stored again: %s", type(error).__name__)
                connection.close_if_unusable_or_obsolete()
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads load, guards nothing
        return record(*args, **kwargs)

    return insist


def lock(messages: QuerySet[Message]) -> list[int]:
    """Lock the messages until the end of the transaction and return their primary keys.

    All code that locks many messages locks them in this order. An UPDATE locks them as it finds them: two of them, or
    one and the reports that come meanwhile, would deadlock.
    """
    return list(messages.order_by("pk").select_for_update().values_list("pk", flat=True))


def after_commit(function: Callable[..., object], *arguments: object) -> None:
    """Call the function once the transaction is committed; its failure is logged and undoes nothing."""

    # A plain function, because Django names it in its log and a functools.partial has no name.
    def call() -> None:
        function(*arguments)

    transaction.on_commit(call, using=database(), robust=True)
