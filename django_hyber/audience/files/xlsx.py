"""XLSX as a stream: one sheet, written row by row into the ZIP that the reader is already getting.

The libraries write a whole file before its first byte can go out, and take a text that begins with "=" for a formula.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

#: What a sheet can hold, its header included, and one of its cells.
MAX_ROWS = 1_048_576
MAX_CELL = 32_767

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SCHEMAS = "http://schemas.openxmlformats.org"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELATIONS = "application/vnd.openxmlformats-package.relationships+xml"
_DOCUMENT = f"{_SCHEMAS}/officeDocument/2006/relationships"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_SCHEMAS}/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{_RELATIONS}"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_SCHEMAS}/spreadsheetml/2006/main" xmlns:r="{_DOCUMENT}">'
        '<sheets><sheet name="Recipients" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_SHEET_START = f'{_XML}<worksheet xmlns="{_SCHEMAS}/spreadsheetml/2006/main"><sheetData>'
_SHEET_END = "</sheetData></worksheet>"
# XML knows no control characters; XLSX spells them _x0001_, and an underscore that would begin such a word _x005F_.
_UNWRITABLE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Cell = str | int | None


class _Outbox(io.RawIOBase):
    """What the ZIP has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def write_workbook(pages: Iterable[Iterable[Sequence[Cell]]]) -> Iterator[bytes]:
    """Yield an XLSX file with one sheet, a piece for every page of rows. Every text is a text and never a formula."""
    outbox = _Outbox()
    with ZipFile(outbox, "w", ZIP_DEFLATED) as book:
        for name, text in _PARTS.items():
            book.writestr(name, _XML + text)
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(_SHEET_START.encode())
            for rows in pages:
                sheet.write("".join(map(_row, rows)).encode())
                yield outbox.take()
            sheet.write(_SHEET_END.encode())
    yield outbox.take()


def _row(cells: Sequence[Cell]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = escape(_UNWRITABLE.sub(_spelled, value[:MAX_CELL]), {"\r": "&#13;"})
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _spelled(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"
