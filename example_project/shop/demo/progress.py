from __future__ import annotations

from django.core.management.base import OutputWrapper

WIDTH = 40
STEP = 10


class Progress:
    """A bar on a terminal; elsewhere a line every ten per cent."""

    def __init__(self, label: str, total: int, out: OutputWrapper) -> None:
        self.label = label
        self.total = total
        self.out = out
        self.shown = -1

    def show(self, done: int) -> None:
        percent = 100 * done // self.total
        if self.out.isatty():
            bar = "#" * (WIDTH * done // self.total)
            self.out.write(f"\r{self.label} [{bar:<{WIDTH}}] {done:,} of {self.total:,}", ending="")
        elif percent // STEP > self.shown // STEP:
            self.out.write(f"{self.label}: {percent} %, {done:,} of {self.total:,}")
        self.shown = max(percent, self.shown)
        self.out.flush()

    def close(self) -> None:
        if self.out.isatty():
            self.out.write("")
