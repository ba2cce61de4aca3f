"""Documentation, interface, docstrings and comments use plain words: docs/banned_words.txt lists what they avoid."""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "docs" / "banned_words.txt"
PAPERS = [ROOT / name for name in ("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "benchmarks/README.rst")]
PAGES = [*PAPERS, *(path for path in sorted((ROOT / "docs").rglob("*.rst")) if not {"_build"} & set(path.parts))]
SOURCES = sorted((ROOT / "django_hyber").rglob("*.py"))
CATALOGUES = sorted(path for name in ("django_hyber", "example_project") for path in (ROOT / name).rglob("django.po"))
BANNED = dict(line.split(" =>") for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, BANNED))})\b", re.IGNORECASE)


def found_in(text):
    """The banned phrases of a text, each with a plain one; literals and line breaks do not count."""
    prose = " ".join(re.sub(r"``[^`]*``", "", text).split())
    return [f"{phrase}: write{BANNED[phrase.lower()]}" for phrase in PATTERN.findall(prose)]


def docstrings_of(path):
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text()))
    return [text for node in nodes if isinstance(node, described) and (text := ast.get_docstring(node))]


def comments_of(path):
    """The comments of a file; one of several lines is one text."""
    texts, continued_at = [], 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type != tokenize.COMMENT:
                continue
            text, line = token.string.lstrip("#: "), token.start[0]
            is_alone = token.line.lstrip().startswith("#")
            if is_alone and line == continued_at:
                texts[-1] += f" {text}"
            else:
                texts.append(text)
            continued_at = line + 1 if is_alone else 0
    return texts


def test_the_pages_use_plain_words():
    assert {page.relative_to(ROOT): found for page in PAGES if (found := found_in(page.read_text()))} == {}


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_interface_uses_plain_words(catalogue):
    texts = [text for entry in polib.pofile(str(catalogue)) for text in (entry.msgid, entry.msgid_plural) if text]

    assert texts
    assert {text: found for text in texts if (found := found_in(text))} == {}


def test_the_docstrings_and_comments_use_plain_words():
    texts = [(path.relative_to(ROOT), text) for path in SOURCES for text in (*docstrings_of(path), *comments_of(path))]

    assert texts
    assert [(path, found) for path, text in texts if (found := found_in(text))] == []


def test_every_phrase_is_listed_once_in_alphabetical_order():
    phrases = [line.split(" =>")[0] for line in LIST.read_text().splitlines() if line and not line.startswith("#")]

    assert phrases == sorted(set(phrases))


def test_a_banned_phrase_is_found_across_lines_and_not_in_literals():
    assert found_in("Show what\nbecame\nof it.") == ["became of: write the result of"]
    assert found_in("``whoever`` is a name.") == []


def test_docstrings_and_comments_are_searched_and_other_strings_are_not(tmp_path):
    source = tmp_path / "module.py"
    lines = [
        "def call():",
        '    """Call',
        '    upon."""',
        "    # What was",
        "    # told.",
        '    return "thus"  # Mend it.',
    ]
    source.write_text("\n".join(lines))

    assert docstrings_of(source) == ["Call\nupon."]
    assert comments_of(source) == ["What was told.", "Mend it."]
