"""Detection of the encoding of a text file.

A text is UTF-8 or it is not. All other encodings give every byte a meaning, so the right one is found by what the words
look like: one script, a usual mix of capital and small letters, and letters that are frequent. General detectors need
some pages of text for that; a list of customers may hold one name. Of lists of ten Ukrainian names in Windows-1251,
chardet 7 reads one in five as something else without a doubt, and charset-normalizer 3 most of those with one name.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Sequence
from typing import IO, ClassVar, NamedTuple

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import UnreadableFileError
from django_hyber.audience.files.garbled import (
    BLOCK,
    IMPLAUSIBLE,
    cost_of_word,
    find_garbled,
    find_readings,
    find_words,
)

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The encodings that can be chosen, with the names that people know.
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "cp1251": "Windows-1251",
    "koi8-u": "KOI8-U",
    "cp866": "DOS (866)",
    "cp1125": "DOS (1125)",
    "mac-cyrillic": "Mac Cyrillic",
    "cp1250": "Windows-1250",
    "cp1252": "Windows-1252",
    "cp1254": "Windows-1254",
    "cp1257": "Windows-1257",
    "iso8859-2": "ISO 8859-2",
    "iso8859-5": "ISO 8859-5",
    "mac-roman": "Mac Roman",
}
MOST_CHOICES = 4
#: A file with few words that are none in UTF-8 may be in another encoding, in which they are likely.
MOST_DOUBTED = 20
LIKELY = 0.7
SHOWN = 80
#: A table in UTF-16 without a byte order mark has a NUL beside every digit and separator: ten and more a line.
MOST_NULS = 5
#: A file with NUL characters is binary if two are adjacent or if it has other control characters.
BINARY = re.compile("\x00\x00|[\x01-\x08\x0e-\x19\x1c-\x1f]")
#: At least this part of a table in UTF-16 is digits, separators, Latin and Cyrillic letters.
LEAST_USUAL = 0.9
_USUAL = re.compile("[\t\n\r -~\xa0-\u052f]")
_NOT_NAMES = re.compile("[^a-z0-9]+")


class Encoding(NamedTuple):
    """The encoding of a file, and its number of stray NUL characters, which databases do not accept."""

    name: str
    nuls: int


class EncodingChoice(NamedTuple):
    """An encoding that a file may have, and a line of the file as it reads in it."""

    name: str
    sample: str


class UncertainEncodingError(UnreadableFileError):
    """Several encodings fit the file, or none does: a person has to choose among ``choices``, the likeliest first.

    ``question`` is for a page on which they can be chosen.
    """

    text: ClassVar = _(
        "The encoding of the file is not certain. Specify the one in which a line of the file is readable, or save the "
        "table as CSV in UTF-8. %(choices)s"
    )
    question: ClassVar = _(
        "The encoding of the file is not certain. Choose the one in which the line below is readable, or save the "
        "table as CSV in UTF-8."
    )

    def __init__(self, choices: Sequence[EncodingChoice], **params: object) -> None:
        shown = "; ".join(f"{ENCODING_NAMES[choice.name]} ({choice.name}): {choice.sample}" for choice in choices)
        super().__init__(self.text, code="uncertain-encoding", params={"choices": shown, **params})
        self.choices = tuple(choices)


class GarbledTextError(UncertainEncodingError):
    """The text was garbled before the file was saved; if it is right all the same, its encoding can be chosen."""

    text = _(
        "Letters of line %(line)d and others were lost or garbled before the file was saved. Export the table again, "
        "as XLSX or as CSV in UTF-8. If the text is right, specify its encoding. %(choices)s"
    )
    question = _(
        "Letters of line %(line)d and others were lost or garbled before the file was saved. Export the table again, "
        "as XLSX or as CSV in UTF-8. If the text is right, choose its encoding."
    )


class GarbledSheetError(UncertainEncodingError):
    """The same in a sheet, whose texts have but one encoding."""

    text = _(
        "Letters of row %(row)d (sheet “%(sheet)s”, column “%(column)s”) and others were lost or garbled before the "
        "file was saved. Export the table again. If the text is right, specify its encoding. %(choices)s"
    )
    question = _(
        "Letters of row %(row)d (sheet “%(sheet)s”, column “%(column)s”) and others were lost or garbled before the "
        "file was saved. Export the table again. If the text is right, choose its encoding."
    )


class Decoded(NamedTuple):
    """The result of decoding: the first line that is not text, if any, and the number of NUL characters."""

    bad_line: int | None
    nuls: int


def find_encoding(file: IO[bytes], wanted: str | None = None, *, only_numbers: bool = False) -> Encoding:
    """Return the encoding that fits the whole file: a bad byte on the last line must be found before the import starts.

    With ``only_numbers`` it makes no difference that other text is garbled, and neither does it if an encoding is
    wanted. Raises UnreadableFileError, which names the line.
    """
    file.seek(0)
    start = file.read(4)
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS if start.startswith(mark)), "")
    if wanted:
        return _check_wanted(file, _known_name(wanted), marked)
    marked = marked or _find_utf16(file)
    found = _find_unicode(file, marked) or _find_by_words(file)
    if not only_numbers:
        _refuse_doubtful(file, found.name, is_marked=bool(marked))
    return found


def _find_unicode(file: IO[bytes], marked: str) -> Encoding | None:
    """Return the encoding of a file in Unicode, or None. Raises UnreadableFileError if it is damaged."""
    bad_line, nuls = _decode(file, marked or "utf-8")
    if bad_line is None:
        return Encoding(marked or "utf-8", nuls)
    if marked or _is_damaged_utf8(file):
        raise _damaged(marked or "utf-8", bad_line)
    return None


def _refuse_doubtful(file: IO[bytes], name: str, *, is_marked: bool) -> None:
    """Refuse a file with text that was garbled before it was saved, or that may be in another encoding than UTF-8."""
    if name.startswith("utf-16"):
        with tempfile.TemporaryFile() as copy:
            file.seek(0)
            texts = codecs.iterdecode(iter(lambda: file.read(BLOCK), b""), name)
            copy.writelines(text.encode("utf-8", "replace") for text in texts)
            _refuse_garbled(copy, find_words(copy), "utf-8", name)
        return
    words = find_words(file) if name.startswith("utf-8") else []
    if not is_marked and 0 < len(words) <= MOST_DOUBTED and all(map(_is_unlikely_in_utf8, words)):
        likely = [reading.encoding for reading in find_readings(words) if reading.cost <= LIKELY]
        if likely:
            raise UncertainEncodingError(_choices(file, [*likely[: MOST_CHOICES - 1], "utf-8"]))
    _refuse_garbled(file, words, name, name.removesuffix("-sig"))


def _refuse_garbled(file: IO[bytes], words: Sequence[bytes], encoding: str, offered: str) -> None:
    line = find_garbled(file, words)
    if line:
        sample = line.text.decode(encoding, "replace").strip()[:SHOWN]
        raise GarbledTextError([EncodingChoice(offered, sample)], line=line.number)


def _is_unlikely_in_utf8(word: bytes) -> bool:
    """Return whether the letters are no word: "Ні" in Windows-1251 is one letter in UTF-8, of old Greek."""
    text = word.decode("utf-8", "replace")
    return text.isalpha() and cost_of_word(text) >= IMPLAUSIBLE


def _find_utf16(file: IO[bytes]) -> str:
    """Return the UTF-16 that the file is without a byte order mark, or an empty string.

    With the wrong order of bytes, or as UTF-16 at all, other files read as rare signs of many scripts.
    """
    file.seek(0)
    start = file.read(BLOCK)
    if b"\x00" not in start:
        return ""
    for encoding in ("utf-16-le", "utf-16-be"):
        text = start[: len(start) // 2 * 2].decode(encoding, "replace")
        has_digits = any(map(str.isdecimal, text))
        if has_digits and len(_USUAL.findall(text)) >= LEAST_USUAL * len(text):
            return encoding
    return ""


def _check_wanted(file: IO[bytes], name: str, marked: str) -> Encoding:
    if marked and name.startswith(marked[:5]):
        name = marked
    bad_line, nuls = _decode(file, name)
    if bad_line is not None:
        raise UnreadableFileError(
            _("The file is not %(encoding)s text: see line %(line)d. Choose another encoding."),
            code="encoding",
            params={"encoding": ENCODING_NAMES[name], "line": bad_line},
        )
    return Encoding(name, nuls)


def _known_name(wanted: str) -> str:
    """Return the encoding for a name as people write it, such as "Windows-1251"."""
    try:
        wanted_codec = codecs.lookup(_NOT_NAMES.sub("-", wanted.lower()).replace("windows-", "cp")).name
    except LookupError:
        wanted_codec = ""
    known = next((name for name in ENCODING_NAMES if codecs.lookup(name).name == wanted_codec), "")
    if not known:
        raise UnreadableFileError(
            _("There is no encoding “%(wanted)s”. Available encodings: %(known)s."),
            code="unknown-encoding",
            params={"wanted": wanted, "known": ", ".join(ENCODING_NAMES)},
        )
    return known


def _find_by_words(file: IO[bytes]) -> Encoding:
    bad_line, nuls = _decode(file, "latin-1")
    readings = find_readings(find_words(file))
    if bad_line is None and not (readings and readings[0].is_acceptable):
        # No encoding gives words. If that is because of a byte that no text has, its line is named.
        bad_line = _decode(file, "cp1251").bad_line
    if bad_line is not None or not readings:
        raise UnreadableFileError(
            _(
                "The file is neither UTF-8, UTF-16 nor Windows-1251 text, nor an XLSX table: line %(line)d contains "
                "bytes that are not text. Save the table as CSV in UTF-8."
            ),
            code="encoding",
            params={"line": bad_line or 1},
        )
    best, *others = readings
    is_certain = best.is_acceptable and all(map(best.is_better, others))
    if is_certain and _decode(file, best.encoding).bad_line is None:
        return Encoding(best.encoding, nuls)
    raise UncertainEncodingError(_choices(file, [reading.encoding for reading in readings[:MOST_CHOICES]]))


def _choices(file: IO[bytes], names: Sequence[str]) -> list[EncodingChoice]:
    """Return the encodings with a line, without those that read the same."""
    file.seek(0)
    line = next((line for line in iter(lambda: file.readline(BLOCK), b"") if not line.isascii()), b"")
    first = next((part for part in re.split(b"[\r\n]+", line) if not part.isascii()), b"")
    samples = {name: first.decode(name, "replace")[:SHOWN] for name in names}
    return [
        EncodingChoice(name, sample)
        for place, (name, sample) in enumerate(samples.items())
        if sample not in list(samples.values())[:place]
    ]


def _damaged(encoding: str, line: int) -> UnreadableFileError:
    return UnreadableFileError(
        _(
            "The file is %(encoding)s text, but line %(line)d is not: it was damaged, or combined from two files. Fix "
            "that line, or save the table as CSV in UTF-8 again."
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
        except UnicodeError:
            # UTF-16 without the mark that says the order of its bytes.
            return Decoded(line, nuls)
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
