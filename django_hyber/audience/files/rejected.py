"""The rows that an import has left out, as a file that can be mended and imported again."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from django_hyber.audience.files.reading import protect
from django_hyber.protocol import clean_text


class RejectedRowsFile:
    """CSV with the columns of the source first, then the number of the row and why it was rejected.

    Written row by row. Spreadsheets recognise UTF-8 by its mark; the last two headers cannot be names of variables.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._columns: tuple[str, ...] | None = None

    def write(self, number: int, reason: str | Promise, values: Mapping[str, Any]) -> None:
        """Add a row; the first one tells the columns."""
        if self._columns is None:
            self._columns = tuple(values)
            self._file.write(BOM_UTF8)
            self._write([*map(protect, self._columns), _("row in the file"), _("why it was rejected")])
        cells = (protect(as_cell(values.get(column))) for column in self._columns)
        self._write([*cells, number, str(reason)])

    def _write(self, cells: Iterable[object]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        self._file.write(line.getvalue().encode())


def as_cell(value: object) -> str:
    """Return a value as it stands in the file; spreadsheets make floats of whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else clean_text(str(value))
