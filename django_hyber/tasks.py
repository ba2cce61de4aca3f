"""Background entry points. A task may be lost, repeated or late, because all pending work is stored in the tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task  # type: ignore[no-redef]

from django_hyber.audience import export, import_jobs, removal_jobs  # noqa: F401  registers the kinds of jobs
from django_hyber.campaigns import preflight_jobs, retry  # noqa: F401  as above
from django_hyber.db.transactions import close_lost_connection
from django_hyber.jobs import background as jobs
from django_hyber.models import Batch
from django_hyber.queueing import enqueue, one_after_another
from django_hyber.reconcile import overdue, unconfirmed
from django_hyber.replies import attachments
from django_hyber.sending import batch, runs, single


def background(function: Callable[..., None]) -> Any:
    """Turn the function into a task that starts without a connection that an earlier task has lost."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        close_lost_connection()
        function(*args, **kwargs)

    return task(run)


@background
def submit_message(pk: int) -> None:
    """Send a single message to the platform."""
    single.submit_message(pk)


@background
def submit_batch(pk: int) -> None:
    """Send a batch to the platform, then enqueue the next batch of its campaign."""
    one_after_another("batches", pk, _submit_batch_and_enqueue_next)


def _submit_batch_and_enqueue_next(pk: int) -> None:
    batch.submit_batch(pk)
    campaign_pk = Batch.objects.filter(pk=pk).values_list("campaign", flat=True).first()
    following = campaign_pk and runs.take_next(campaign_pk)
    if following:
        enqueue("submit_batch", following)


@background
def resolve_message(pk: int, following: int = 0) -> None:
    """Query the outcome of an unconfirmed message, then enqueue up to ``following`` others, one after another."""
    unconfirmed.query_in_turn(pk, following)


@background
def resolve_batch(pk: int) -> None:
    """Query the outcome of an unconfirmed batch."""
    unconfirmed.query_batch(pk)


@background
def fetch_media(pk: int) -> None:
    """Store the attachment of a reply."""
    attachments.fetch_media(pk)


@background
def fetch_reports(limit: int = 1_000, *, learn_seen: bool = False, learn_clicks: bool = False) -> None:
    """Fetch reports that are overdue."""
    overdue.fetch_reports(limit=limit, learn_seen=learn_seen, learn_clicks=learn_clicks)


@background
def run_job(pk: int) -> None:
    """Run a background job."""
    jobs.run_job(pk)
