"""The documentation and the interface use plain words: docs/banned_words.txt lists those that they avoid."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest

from django_hyber import services

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "docs" / "banned_words.txt"
PAPERS = [ROOT / name for name in ("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "benchmarks/README.rst")]
PAGES = [*PAPERS, *(path for path in sorted((ROOT / "docs").rglob("*.rst")) if not {"_build"} & set(path.parts))]
CATALOGUES = sorted(path for name in ("django_hyber", "example_project") for path in (ROOT / name).rglob("django.po"))
BANNED = dict(line.split(" =>") for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, BANNED))})\b", re.IGNORECASE)


def found_in(text):
    """The banned phrases of a text, each with a plain one; literals and line breaks do not count."""
    prose = " ".join(re.sub(r"``[^`]*``", "", text).split())
    return [f"{phrase}: write{BANNED[phrase.lower()]}" for phrase in PATTERN.findall(prose)]


def test_the_pages_use_plain_words():
    assert {page.relative_to(ROOT): found for page in PAGES if (found := found_in(page.read_text()))} == {}


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_interface_uses_plain_words(catalogue):
    texts = [text for entry in polib.pofile(str(catalogue)) for text in (entry.msgid, entry.msgid_plural) if text]

    assert texts
    assert {text: found for text in texts if (found := found_in(text))} == {}


def test_the_descriptions_of_the_services_use_plain_words():
    texts = {name: getattr(services, name).__doc__ or "" for name in services.__all__}

    assert {name: found for name, text in texts.items() if (found := found_in(text))} == {}


def test_every_phrase_is_listed_once_in_alphabetical_order():
    phrases = [line.split(" =>")[0] for line in LIST.read_text().splitlines() if line and not line.startswith("#")]

    assert phrases == sorted(set(phrases))


def test_a_banned_phrase_is_found_across_lines_and_not_in_literals():
    assert found_in("Show what\nbecame\nof it.") == ["became of: write the result of"]
    assert found_in("``whoever`` is a name.") == []
