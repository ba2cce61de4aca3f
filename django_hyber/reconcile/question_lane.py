"""How the questions about messages of an unknown outcome follow one another.

There may be ten thousands of them, after the answer to a large request was lost. A few are under way at once, and each,
when it is answered, gives the next one to a task of its own: a one-time code gets its turn between two questions, and a
platform that does not answer is asked a few things and not all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.models import Batch, Message
from django_hyber.queueing import nudge
from django_hyber.reconcile import unconfirmed
from django_hyber.sending import lanes

UNCONFIRMED = Message.Status.UNCONFIRMED
#: How many questions may wait for a worker.
AT_ONCE = 4
#: How many may follow one that a sweep has enqueued. Where tasks run at once, the sweep has other things to do as well.
IN_A_ROW = 250


def ask_in_turn(pk: int, following: int, enqueue: Callable[[int, int], object]) -> None:
    """Ask about a message and, once that is answered, enqueue the question about the next one."""
    lanes.one_after_another("questions", (pk, following), lambda item: _ask_and_go_on(*item, enqueue))


def _ask_and_go_on(pk: int, following: int, enqueue: Callable[[int, int], object]) -> None:
    if unconfirmed.resolve_message(pk) and following:
        next_pk = take_next(after=pk)
        if next_pk:
            enqueue(next_pk, following - 1)


def fill_questions() -> int:
    """Enqueue as many questions as may wait for a worker, and return how many were enqueued."""
    pk, count = 0, 0
    for _ in range(count_room()):
        found = take_next(after=pk)
        if not found:
            break
        nudge("resolve_message", Message.objects.all(), found, IN_A_ROW)
        pk, count = found, count + 1
    return count


def take_next(after: int = 0) -> int | None:
    """Mark the next message to ask about as enqueued and return its primary key."""
    due = _lone().filter(lanes.due(UNCONFIRMED, "status"), pk__gt=after)
    return lanes.mark_first(due, Message.objects.filter(status=UNCONFIRMED))


def count_room() -> int:
    """Return how many more questions may be enqueued."""
    since = timezone.now() - lanes.ENQUEUED_FOR
    enqueued = Message.objects.filter(status=UNCONFIRMED, enqueued_at__gt=since)
    return max(0, AT_ONCE - enqueued.count())


def _lone() -> QuerySet[Message]:
    """Return the messages that nobody asks about but themselves: a batch asks for all that are in it."""
    return Message.objects.exclude(campaign__batches__state=Batch.State.UNCONFIRMED)
