from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import django_hyber

CHANGELOG = (Path(__file__).resolve().parents[2] / "CHANGELOG.rst").read_text()
VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+) \((unreleased|\d{4}-\d\d-\d\d)\)\n-+$", re.MULTILINE)


def test_changelog_begins_with_the_version_of_the_package():
    *numbers, _ = VERSION.findall(CHANGELOG)[0]

    assert ".".join(numbers) == django_hyber.__version__


def test_every_version_has_a_number_and_a_date_and_the_newest_is_first():
    headings = re.findall(r"^.*\n-+$", CHANGELOG, re.MULTILINE)
    found = VERSION.findall(CHANGELOG)
    numbers = [tuple(map(int, version[:3])) for version in found]
    dates = [date.fromisoformat(version[3]) for version in found if version[3] != "unreleased"]

    assert len(found) == len(headings)
    assert numbers == sorted(set(numbers), reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert len(dates) >= len(found) - 1
