"""Broken and malicious files, made by rule and by chance: each is read, or refused with a reason.

HYBER_FUZZ=10000 python -m pytest tests/audience/files/test_hostile.py

As a program, it reads so many of them in 512 MB of memory: python -m tests.audience.files.hostile 10000 [SEED]
"""

from __future__ import annotations

import io
import os
import random
import resource
import sys
import time
import zipfile
from collections.abc import Iterator

MEMORY = 512 * 1024**2
MOST_SECONDS = 10
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
ROWS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c><c r="B1" t="s"><v>0</v></c></row>'
    '<row r="2"><c r="A2"><v>380671112233</v></c><c r="B2" t="s"><v>1</v></c></row>'
    '<row r="3" hidden="1"><c r="A3"><v>380671112244</v></c><c r="B3" s="1"><v>46361.5</v></c></row>'
)
#: What a mutation puts into XML: numbers out of range, other types, broken tags.
FRAGMENTS = (
    *(
        "-1",
        "0",
        "1048577",
        "99999999999999999999",
        "1e400",
        "NaN",
        "",
        " ",
        "\u0665",
        "XFD1048576",
        "A0",
        "ZZZZ1",
        "é1",
    ),
    *('<c r="XFD1048576"><v>1</v></c>', '<row r="1048576"/>', "<c/>" * 50, "</row>", "<v>", "]]>", "&amp;", "&lol;"),
    *(
        't="s"',
        't="d"',
        't="n"',
        't="b"',
        's="70000"',
        's="-1"',
        'hidden="true"',
        "<f>A1</f>",
        "<is><r><t>x</t></r></is>",
    ),
    *("_x0000_", "_xD83D_", "<!-- -->", "<![CDATA[<v>]]>", "<?x y?>", "\x00", "\ufffe", "🌻" * 100, "9" * 400),
)
CSV_PIECES = (
    *("phone", "name", "0671112233", "Олена", '"', '""', ",", ";", "\t", "|", "\n", "\r", "\r\n", "\x00", "\ufeff"),
    *("sep=;\n", "=1+1", "'", " ", "\u00a0", "NULL", "\u200d", "a" * 9_000, "," * 3_000, '"\n' * 200, "<html>", "\x1f"),
)


def parts(rows: str = ROWS, strings: str = "<si><t>name</t></si><si><t>Olena</t></si>") -> dict[str, str]:
    """Return the parts of a small workbook."""
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}">'
            f'<Relationship Id="r1" Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">'
            '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}">'
            f'<Relationship Id="r1" Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/styles.xml": (
            f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="dd.mm.yyyy"/></numFmts>'
            '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }


def packed(contents: dict[str, str], **changes: str | bytes) -> bytes:
    """Return a workbook of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**contents, **changes}.items():
            archive.writestr(name, content)
    return file.getvalue()


def random_files(count: int, chance: random.Random) -> Iterator[bytes]:
    """Yield files: damaged workbooks, workbooks of damaged parts, and texts put together from awkward pieces."""
    makers = (_damaged_bytes, _damaged_part, _damaged_part, _random_rows, _random_text, _random_text, _random_encoding)
    for _number in range(count):
        yield chance.choice(makers)(chance)


def _damaged_bytes(chance: random.Random) -> bytes:
    content = bytearray(packed(parts()))
    for _change in range(chance.randint(1, 8)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(4):
            case 0:
                content[place : place + 1] = chance.randbytes(1)
            case 1:
                del content[place : place + chance.randint(1, 200)]
            case 2:
                content[place:place] = chance.randbytes(chance.randint(1, 50))
            case _:
                content = content[: max(4, place)]
    return bytes(content)


def _damaged_part(chance: random.Random) -> bytes:
    contents = parts()
    for _change in range(chance.randint(1, 4)):
        name = chance.choice(list(contents))
        text = contents[name]
        match chance.randrange(4):
            case 0:
                del contents[name]
                contents = contents or parts()
            case 1:
                place = chance.randrange(len(text) + 1)
                contents[name] = text[:place] + chance.choice(FRAGMENTS) + text[place:]
            case 2:
                pieces = text.split('"')
                pieces[chance.randrange(len(pieces))] = chance.choice(FRAGMENTS)
                contents[name] = '"'.join(pieces)
            case _:
                place = chance.randrange(len(text) + 1)
                contents[name] = text[:place] + text[place + chance.randint(1, 30) :]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", chance.choice((0, 8, 12, 14))) as archive:
        for name, content in contents.items():
            archive.writestr(name, content.encode("utf-8", "surrogatepass"))
    return file.getvalue()


def _random_rows(chance: random.Random) -> bytes:
    rows = []
    for _row in range(chance.randint(1, 30)):
        cells = []
        for _cell in range(chance.randint(0, 6)):
            place = f' r="{chance.choice(("A", "B", "C", "AA", "XFD"))}{chance.randint(1, 40)}"'
            kind = chance.choice(("", ' t="s"', ' t="inlineStr"', ' t="e"', ' t="b"', ' t="d"', ' t="str"', ' s="1"'))
            value = chance.choice(("0", "1", "380671112233", "46361.25", "#N/A", "2026-12-05", "x", "-1", "1e308"))
            body = chance.choice((f"<v>{value}</v>", f"<is><t>{value}</t></is>", "<f>A1</f>", "<f>A1</f><v/>", ""))
            cells.append(f"<c{place if chance.random() < 0.7 else ''}{kind}>{body}</c>")
        attributes = chance.choice(("", f' r="{chance.randint(1, 100)}"', ' hidden="1"'))
        rows.append(f"<row{attributes}>{''.join(cells)}</row>")
    return packed(parts(rows="".join(rows)))


def _random_text(chance: random.Random) -> bytes:
    text = "".join(chance.choice(CSV_PIECES) for _piece in range(chance.randint(0, 200)))
    start = chance.choice(("", "phone,name\n", "phone;name\n0671112233;A\n", "sep=|\n"))
    return (start + text).encode(chance.choice(("utf-8", "utf-8-sig", "utf-16", "cp1251")), "replace")


def _random_encoding(chance: random.Random) -> bytes:
    start = chance.choice((b"", b"phone;name\n", b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
    return start + chance.randbytes(chance.randint(0, 3_000))


def main(count: int, seed: int) -> None:
    """Read files until one breaks the reading, or keeps it busy for too long."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django_hyber.audience.files.file_type import ReadNotes
    from django_hyber.audience.files.reading import read_rows, recognize
    from django_hyber.services import UnreadableFileError

    taken = {"read": 0, "refused": 0}
    slowest = 0.0
    for number, content in enumerate(random_files(count, random.Random(seed))):
        file, started = io.BytesIO(content), time.process_time()
        try:
            for _row in read_rows(file, recognize(file), notes=ReadNotes()):
                pass
            taken["read"] += 1
        except UnreadableFileError:
            taken["refused"] += 1
        except Exception as error:
            raise AssertionError(f"file {number} of seed {seed}: {error!r}") from error
        slowest = max(slowest, time.process_time() - started)
        assert slowest < MOST_SECONDS, f"file {number} of seed {seed}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{taken['read']} read, {taken['refused']} refused, slowest {slowest:.2f} s, peak {peak} MB")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000))
