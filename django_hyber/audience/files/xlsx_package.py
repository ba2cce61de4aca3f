"""An XLSX file as a ZIP archive of XML parts: opened, unpacked and parsed within limits.

Nothing in the file is believed: not its sizes, its paths or its types. The limits hold while unpacking, so that a small
file cannot fill the memory or keep a process busy.
"""

from __future__ import annotations

import posixpath
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import UnreadableFileError

MEGABYTE = 1024 * 1024
#: What the parts that are read may unpack to, and by how much more than the size of the file: tables shrink to a tenth.
MAX_UNPACKED = 1024 * MEGABYTE
MAX_SMALL = 16 * MEGABYTE
MAX_RATIO = 64
#: The list of parts; ordinary workbooks have some kilobytes.
MAX_DIRECTORY = MEGABYTE
#: The parts that say what the workbook has: sheets, formats, paths.
MAX_STRUCTURE = 16 * MEGABYTE
#: A row, or a text that cells share.
MAX_PENDING = 2 * MEGABYTE
#: Small, because every element of a block is an object that the garbage collector looks at.
BLOCK = 8 * 1024
MOST_SHEETS = 1_000
MOST_FORMATS = 70_000
LONGEST_FORMAT = 255
_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = b"PK\x06\x07"
_END_64_SIZE = 56
_ENCRYPTED = 0x1
#: What the archive and its XML raise when they are broken.
_BROKEN = (
    BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    ParseError,
    RuntimeError,
    UnicodeError,
    ValueError,
    expat.ExpatError,
    struct.error,
    zlib.error,
)

StartHandler = Callable[[str, Mapping[str, str]], object]


@dataclass(frozen=True)
class Sheet:
    """A sheet with rows and columns; ``part`` is its path in the archive."""

    name: str
    part: str
    is_visible: bool


@dataclass(frozen=True)
class Workbook:
    """The sheets and the codes of the number formats, which cells refer to by their places."""

    sheets: tuple[Sheet, ...]
    formats: tuple[str | int, ...]
    has_1904_dates: bool


class Package:
    """An open archive."""

    def __init__(self, file: IO[bytes]) -> None:
        size = _check_directory(file)
        self._archive = ZipFile(file)
        self._parts = {part.filename.lower(): part for part in self._archive.infolist()}
        self._left = min(MAX_UNPACKED, MAX_SMALL + MAX_RATIO * size)

    def find(self, name: str) -> ZipInfo | None:
        """Return a part by its path."""
        return self._parts.get(name.lstrip("/").lower())

    def blocks(self, part: ZipInfo) -> Iterator[bytes]:
        """Yield a part unpacked, as long as the limit of all parts together is not reached."""
        if part.flag_bits & _ENCRYPTED:
            raise encrypted()
        if part.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise unreadable()
        if part.file_size > self._left:
            raise too_large()
        with self._archive.open(part) as stream:
            while block := stream.read(BLOCK):
                self._left -= len(block)
                if self._left < 0:
                    raise too_large()
                yield block

    def names(self) -> list[str]:
        """Return the paths in small letters."""
        return list(self._parts)


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Package]:
    """Open an archive; whatever is broken in it is an UnreadableFileError."""
    try:
        yield Package(file)
    except _BROKEN as error:
        raise unreadable() from error


def read_children(
    package: Package, part: ZipInfo, container: str, begin: Callable[[Element], object] = lambda _root: None
) -> Iterator[Element]:
    """Yield the children of the first element of this name one after the other, and forget them.

    ``begin`` is called before, with the root element as far as it has been read. What comes after the children is
    unpacked, by which its check sum is checked, and not parsed.
    """
    parser: XMLPullParser[Element] = XMLPullParser(("start",))
    opened_elements: list[Element] = []
    parent: Element | None = None
    pending = 0
    is_over = False
    for block in _without_doctype(package.blocks(part)):
        if is_over:
            continue
        parser.feed(block)
        for _event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if parent is None:
                opened_elements.append(element)
                if element.tag.endswith(f"}}{container}"):
                    parent = element
                    begin(opened_elements[0])
        pending += len(block)
        if parent is not None:
            root = opened_elements[0]
            is_over = root is not parent and root[-1] is not parent
            # The last child may not be complete.
            count = len(parent) if is_over else max(0, len(parent) - 1)
            yield from parent[:count]
            del parent[:count]
            pending = 0 if count else pending
        if pending > MAX_PENDING:
            raise too_large()
    if parent is None:
        raise unreadable()
    if not is_over:
        parser.close()
        yield from parent


def _without_doctype(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks once it is sure that the part has no document type, and with it no entities."""
    has_begun: list[str] = []
    parser = _new_parser(lambda name, _attributes: has_begun.append(name))
    for block in blocks:
        if not has_begun:
            parser.Parse(block)
        yield block


def _new_parser(start: StartHandler) -> expat.XMLParserType:
    """Return an XML parser that accepts no document type."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def local(name: str) -> str:
    """Return the name of a tag or attribute without its prefix."""
    return name[name.find(":") + 1 :]


def read_workbook(package: Package) -> Workbook:
    """Return the structure of the workbook. Raises UnreadableFileError if it is of another kind."""
    part = _find_workbook(package)
    folder = posixpath.dirname(part.filename)
    targets = {
        item["Id"]: posixpath.normpath(posixpath.join("/", folder, item["Target"])).lstrip("/")
        for item in _relationships(package, f"{folder}/_rels/{posixpath.basename(part.filename)}.rels")
        if item["Type"].endswith("/worksheet")
    }
    sheets: list[Sheet] = []
    dates: list[bool] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if local(name) == "sheet" and len(sheets) < MOST_SHEETS:
            target = targets.get(next((value for key, value in attributes.items() if local(key) == "id"), ""), "")
            is_visible = attributes.get("state", "visible") == "visible"
            if target:
                sheets.append(Sheet(attributes.get("name", ""), target, is_visible))
        elif local(name) == "workbookPr":
            dates.append(attributes.get("date1904", "") in {"1", "true"})

    _parse(package, part, start)
    return Workbook(tuple(sheets), _read_formats(package, f"{folder}/styles.xml"), any(dates))


def _find_workbook(package: Package) -> ZipInfo:
    main = next(
        (item["Target"] for item in _relationships(package, "_rels/.rels") if item["Type"].endswith("/officeDocument")),
        "xl/workbook.xml",
    )
    part = package.find(main)
    if part and not main.endswith(".bin"):
        return part
    names = package.names()
    if part or "xl/workbook.bin" in names:
        raise UnreadableFileError(_("This is a binary XLSB table. Save it as XLSX, or as CSV in UTF-8."), code="xlsb")
    if "content.xml" in names:
        text = _("This is an OpenDocument table. Save it as XLSX, or as CSV in UTF-8.")
        raise UnreadableFileError(text, code="ods")
    if "[content_types].xml" in names:
        raise unreadable()
    text = _("This is a ZIP archive, not an XLSX table. If it contains a table, unpack it first.")
    raise UnreadableFileError(text, code="zip")


def _relationships(package: Package, name: str) -> list[dict[str, str]]:
    part = package.find(name)
    found: list[dict[str, str]] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if local(name) == "Relationship" and len(found) < MOST_SHEETS:
            found.append({key: attributes.get(key, "") for key in ("Id", "Type", "Target")})

    if part:
        _parse(package, part, start)
    return found


def _read_formats(package: Package, name: str) -> tuple[str | int, ...]:
    """Return the format of each style: its code, or its number if it is built in."""
    part = package.find(name)
    codes: dict[int, str] = {}
    styles: list[int] = []
    path: list[str] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        tag = local(name)
        if tag == "numFmt" and len(codes) < MOST_FORMATS:
            codes[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")[:LONGEST_FORMAT]
        elif tag == "xf" and path[-1:] == ["cellXfs"] and len(styles) < MOST_FORMATS:
            styles.append(int(attributes.get("numFmtId", "0")))
        path.append(tag)

    if part:
        _parse(package, part, start, lambda _name: path.pop())
    return tuple(codes.get(number, number) for number in styles)


def _parse(package: Package, part: ZipInfo, start: StartHandler, end: Callable[[str], object] | None = None) -> None:
    parser = _new_parser(start)
    parser.EndElementHandler = end
    content = bytearray()
    for block in package.blocks(part):
        content += block
        if len(content) > MAX_STRUCTURE:
            raise too_large()
    # At once: block by block, a tag or comment of megabytes would be read from its beginning with each block.
    parser.Parse(bytes(content), True)  # noqa: FBT003  its arguments have no names


def _check_directory(file: IO[bytes]) -> int:
    """Return the size of the file. The list of parts is read into memory as a whole, so its length is checked first."""
    size = file.seek(0, 2)
    start = max(0, size - 65_536 - _END.size)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise BadZipFile
    directory = _END.unpack_from(tail, place)[5]
    locator = place - 20
    if locator >= _END_64_SIZE and tail[locator : locator + 4] == _END_64_LOCATOR:
        (directory,) = struct.unpack_from("<Q", tail, locator - _END_64_SIZE + 40)
    if directory > MAX_DIRECTORY:
        raise too_large()
    return size


def _refuse_doctype(*_declaration: Any) -> None:
    raise unreadable()


def unreadable() -> UnreadableFileError:
    """Return the error for a broken file."""
    return UnreadableFileError(
        _("The XLSX table cannot be read. Open it in a spreadsheet and save it again as XLSX, or as CSV in UTF-8."),
        code="xlsx",
    )


def encrypted() -> UnreadableFileError:
    """Return the error for a file with a password."""
    return UnreadableFileError(
        _("This table has a password. Save it as XLSX without a password, or as CSV in UTF-8."), code="password"
    )


def too_large() -> UnreadableFileError:
    """Return the error for a file that unpacks to more than any table of people."""
    return UnreadableFileError(_("This XLSX table is too large. Save it as CSV in UTF-8."), code="too-large")
