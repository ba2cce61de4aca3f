from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Work on thousands of rows without the garbage collector, or call a function that does, as a decorator.

    It would search all of the rows for cycles again and again, and there are none: that took a third of the time of
    sending and of importing. The pause is that of the whole process, so nothing inside may wait for long. Of several
    threads, the first that is done ends the pause.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
