from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError

from django_hyber.log_events import LogEvent, log_failure


@contextmanager
def apart(**log_ids: Any) -> Iterator[None]:
    """Work on one row of many: if that fails, it is logged with these ids, and the others go on.

    A failure of the database is raised, because it would be that of every row.
    """
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  it is logged
        text = "One of many was left out, the others go on: %s"
        log_failure(LogEvent.ROW_LEFT_OUT, error, text, log_ids, **log_ids)
