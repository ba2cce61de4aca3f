"""Detection of the encoding of a text file."""

from __future__ import annotations

import codecs
import re
from typing import IO, NamedTuple

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import UnreadableFileError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODING_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1251": "Windows-1251"}
BLOCK = 64 * 1024
#: A table in UTF-16 without a byte order mark has a NUL beside every digit and separator: ten and more a line.
MOST_NULS = 5
#: A file with NUL characters is binary if two are adjacent or if it has other control characters.
BINARY = re.compile("\x00\x00|[\x01-\x08\x0e-\x19\x1c-\x1f]")


class Encoding(NamedTuple):
    """The encoding of a file, and its number of stray NUL characters, which databases do not accept."""

    name: str
    nuls: int


class Decoded(NamedTuple):
    """The result of decoding: the first line that is not text, if any, and the number of NUL characters."""

    bad_line: int | None
    nuls: int


def find_encoding(file: IO[bytes]) -> Encoding:
    """Return the encoding that fits the whole file: a bad byte on the last line must be found before the import starts.

    Raises UnreadableFileError, which names the line.
    """
    file.seek(0)
    start = file.read(4)
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS if start.startswith(mark)), "")
    bad_line, nuls = _decode(file, marked or "utf-8")
    if bad_line is None:
        return Encoding(marked or "utf-8", nuls)
    if marked or _is_damaged_utf8(file):
        raise _damaged(marked or "utf-8", bad_line)
    bad_line, nuls = _decode(file, "cp1251")
    if bad_line is not None:
        raise UnreadableFileError(
            _(
                "The file is neither UTF-8, UTF-16 nor Windows-1251 text, nor an XLSX table: no text has what is on "
                "line %(line)d. Save the table as CSV in UTF-8."
            ),
            code="encoding",
            params={"line": bad_line},
        )
    return Encoding("cp1251", nuls)


def _damaged(encoding: str, line: int) -> UnreadableFileError:
    return UnreadableFileError(
        _(
            "The file is %(encoding)s text, but line %(line)d is not: it was damaged, or put together from two files. "
            "Fix that line, or save the table as CSV in UTF-8 again."
        ),
        code="encoding",
        params={"encoding": ENCODING_NAMES[encoding], "line": line},
    )


def _decode(file: IO[bytes], encoding: str) -> Decoded:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    nuls = 0
    first_nul = None
    is_binary = False
    is_over = False
    while not is_over:
        block = file.read(BLOCK)
        is_over = not block
        try:
            text = decoder.decode(block, is_over)
        except UnicodeDecodeError as error:
            good = bytes(error.object[: error.start])
            return Decoded(line + good.decode(error.encoding, "ignore").count("\n"), nuls)
        if "\x00" in text:
            nuls += text.count("\x00")
            is_binary = is_binary or bool(BINARY.search(text))
            first_nul = first_nul or line + text.partition("\x00")[0].count("\n")
        line += text.count("\n")
    return Decoded(first_nul if is_binary or nuls > MOST_NULS * line else None, nuls)


def _is_damaged_utf8(file: IO[bytes]) -> bool:
    """Return whether most non-ASCII letters are valid UTF-8; in another encoding hardly any would be."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    letters = bad = 0
    while block := file.read(BLOCK):
        text = decoder.decode(block)
        letters += len(text) - len(text.encode("ascii", "ignore"))
        bad += text.count("\ufffd")
    return letters - bad > bad
