from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError

from django_hyber.log_events import LogEvent
from django_hyber.protocol import describe_traceback

logger = logging.getLogger("django_hyber")


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
        logger.error(  # noqa: TRY400
            "One of many was left out, the others go on: %s\n%s",
            log_ids,
            describe_traceback(error),
            extra={"event": LogEvent.ROW_LEFT_OUT, **log_ids},
        )
