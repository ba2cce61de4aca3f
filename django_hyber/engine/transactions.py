from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, router, transaction
from django.db.models import QuerySet

from django_hyber.models import Message


def database() -> str:
    """Return the alias that messages are written to."""
    return router.db_for_write(Message)


@contextmanager
def write_transaction(using: str) -> Iterator[None]:
    """Open a transaction that reads before it writes.

    SQLite refuses to turn a read transaction into a writing one when another process has written meanwhile; there the
    transaction takes the write lock at once, and others wait for it.
    """
    with transaction.atomic(using=using):
        if connections[using].vendor == "sqlite":
            Message.objects.using(using).filter(pk=-1).update(attempts=0)
        yield


def lock(messages: QuerySet[Message]) -> list[int]:
    """Lock the messages until the end of the transaction and return their primary keys.

    Whoever locks many messages locks them in this order; an UPDATE takes them as it finds them, and two of them, or one
    and the reports that come meanwhile, would wait for each other in a circle.
    """
    return list(messages.order_by("pk").select_for_update().values_list("pk", flat=True))


def after_commit(using: str, function: Callable[..., object], *arguments: object) -> None:
    """Call the function once the transaction is committed; its failure is logged and undoes nothing."""

    # A plain function, because Django names it in its log and a functools.partial has no name.
    def call() -> None:
        function(*arguments)

    transaction.on_commit(call, using=using, robust=True)
