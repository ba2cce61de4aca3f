from __future__ import annotations

from typing import TextIO

WIDTH = 30


class ProgressBar:
    """A progress bar in one line of a terminal. Without a terminal, nothing is written."""

    def __init__(self, stream: TextIO, total: int | None = None) -> None:
        self._stream = stream
        self._total = total
        self._is_terminal = stream.isatty()

    def show(self, done: int) -> None:
        """Show that this many are done."""
        if self._is_terminal:
            self._stream.write(f"\r{self._line(done)}")
            self._stream.flush()

    def end(self) -> None:
        """End the line."""
        if self._is_terminal:
            self._stream.write("\n")

    def _line(self, done: int) -> str:
        if not self._total:
            return f"{done:,}"
        filled = min(WIDTH, WIDTH * done // self._total)
        return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done:,} of {self._total:,}"
