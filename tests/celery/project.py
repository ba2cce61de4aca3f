"""A project that has a Celery app of its own, with tasks of Celery's and of Django's kind."""

from __future__ import annotations

from celery import Celery

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

app = Celery("shop", broker="memory://")
app.conf.task_default_queue = "shop"
app.autodiscover_tasks()
#: What the tasks have done.
done = []


@app.task
def by_celery():
    done.append("by_celery")


@task
def plain(*args, **kwargs):
    done.append((args, kwargs))


@task
async def coroutine():
    done.append("coroutine")


@task(takes_context=True)
def contextual(context):
    done.append((context.attempt, context.task_result.id, context.task_result.worker_ids))


@task
def failing():
    raise ValueError("no such order")
