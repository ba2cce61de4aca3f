"""The README against the code: what it promises is there, and what is there is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

from django_hyber import conf, signals
from django_hyber.models import Message
from django_hyber.sandbox import OUTCOMES
from tests.run import CORE_RULES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.rst").read_text()


def test_every_setting_is_in_the_table_with_its_default(settings):
    settings.HYBER = {"default": {}}
    defaults = {key: getattr(conf.get_account(), key.lower()) for key in conf.KEYS}
    shown = dict(re.findall(r"^``([A-Z_]+)`` +``(.*?)``", README, re.MULTILINE))

    assert defaults.keys() - shown.keys() == set()
    assert [key for key, default in defaults.items() if not says(shown[key], default)] == []


def says(text, default):
    if isinstance(default, str):
        return text.strip('"') == default
    return text == "None" if default is None else type(default)(ast.literal_eval(text)) == default


def test_every_outcome_of_the_sandbox_is_in_the_table():
    rows = [f"{digits}      {outcome.sentence}" for digits, outcome in OUTCOMES.items()]

    assert [row for row in rows if row not in README] == []


def test_every_status_is_explained():
    assert [status for status in Message.Status.values if f"\n``{status}``  " not in README] == []


def test_every_signal_is_named():
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]

    assert names == ["message_status_changed", "reply_received", "campaign_finished", "campaign_notice"]
    assert [name for name in names if f"``{name}``" not in README and f"import {name}" not in README] == []


def test_every_command_is_in_the_table():
    for command in (ROOT / "django_hyber" / "management" / "commands").glob("hyber_*.py"):
        assert f"``{command.stem}" in README


def pictures_of(page):
    return set(re.findall(r"^\.\. image:: (\S+)$", (DOCS / page).read_text(), re.MULTILINE))


def test_every_picture_is_shown_and_every_shown_one_is_there():
    shown = {picture for page in ("admin.rst", "admin.uk.rst") for picture in pictures_of(page)}

    assert shown == {path.relative_to(DOCS).as_posix() for path in (DOCS / "screenshots").rglob("*.png")}


def test_both_languages_show_the_same_pictures():
    assert {name.replace("/en/", "/uk/") for name in pictures_of("admin.rst")} == pictures_of("admin.uk.rst")


@pytest.mark.parametrize("page", ["admin.rst", "admin.uk.rst"])
def test_every_picture_is_told_to_those_who_do_not_see_it(page):
    assert (DOCS / page).read_text().count("\n   :alt: ") == len(pictures_of(page))


def test_pictures_are_small():
    assert {path.name for path in (DOCS / "screenshots").rglob("*.png") if path.stat().st_size >= 150_000} == set()


def test_quick_tests_name_files_that_exist():
    assert [path for path in CORE_RULES if not (ROOT / path).exists()] == []
