"""The markdown of Viber and WhatsApp, as rendered on a phone: ``*bold*``, ``_italics_``, ``~strikethrough~`` and
monospace between triple backticks (guide, chapter 8).

Links are separate runs, because phones underline them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class TextRun:
    """A part of a text with uniform formatting."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    mono: bool = False
    link: bool = False


_LINK = r"https?://\S*[^\s.,;:!?)\]}'\"»]"
_LINKS = re.compile(f"({_LINK})", re.IGNORECASE)
# A mark is recognized only at the edge of a word, so that 2*3*4 and snake_case_names are not changed. Bold, italics
# and strikethrough do not span lines.
_TOKEN = re.compile(
    r"```(?P<mono>.+?)```"
    rf"|(?P<link>{_LINK})"
    r"|(?<!\w)(?:\*(?P<bold>[^\s*](?:[^\n*]*[^\s*])?)\*"
    r"|_(?P<italic>[^\s_](?:[^\n_]*[^\s_])?)_"
    r"|~(?P<strike>[^\s~](?:[^\n~]*[^\s~])?)~)(?!\w)",
    re.DOTALL | re.IGNORECASE,
)


def parse_markdown(text: str) -> list[TextRun]:
    """Return the text as formatted runs, without the marks."""
    return list(_runs(text, TextRun(text="")))


def mark_links(text: str) -> list[TextRun]:
    """Return the text as runs with links but without other formatting, as in an SMS."""
    pieces = enumerate(_LINKS.split(text))
    return [TextRun(text=piece, link=bool(number % 2)) for number, piece in pieces if piece]


def _runs(text: str, style: TextRun) -> Iterator[TextRun]:
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            yield replace(style, text=text[end : match.start()])
        kind = match.lastgroup or ""
        marked = replace(style, text=match[kind], **{kind: True})
        # Marks have no effect within monospace and links.
        yield from (marked,) if kind in {"mono", "link"} else _runs(marked.text, marked)
        end = match.end()
    if end < len(text):
        yield replace(style, text=text[end:])
