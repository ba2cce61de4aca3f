"""The README against the code: what it promises is there, and what is there is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from django_hyber import conf, signals
from django_hyber.models import Message
from django_hyber.sandbox import OUTCOMES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.rst").read_text()


@pytest.mark.parametrize("key", sorted(conf.KEYS))
def test_every_setting_is_in_the_table_with_its_default(key, settings):
    settings.HYBER = {"default": {}}
    row = next(line for line in README.splitlines() if line.startswith(f"``{key}``"))
    default = getattr(conf.get_account(), key.lower())
    shown = row.split("``")[3]

    if isinstance(default, str):
        assert shown.strip('"') == default
    else:
        assert type(default)(ast.literal_eval(shown)) == default if default is not None else shown == "None"


@pytest.mark.parametrize("digits", sorted(OUTCOMES))
def test_every_outcome_of_the_sandbox_is_in_the_table(digits):
    assert f"{digits}      {OUTCOMES[digits].sentence}" in README


@pytest.mark.parametrize("status", Message.Status.values)
def test_every_status_is_explained(status):
    assert f"\n``{status}``  " in README


@pytest.mark.parametrize("name", ["message_status_changed", "reply_received", "campaign_finished"])
def test_every_signal_is_named(name):
    assert hasattr(signals, name)
    assert f"``{name}``" in README or f"import {name}" in README


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
