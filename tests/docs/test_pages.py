"""The documentation against the code: what it promises is there, and everything public is in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.dispatch import Signal

import django_hyber
from django_hyber import conf, services, signals, testing
from django_hyber.log_events import LogEvent
from django_hyber.models import Campaign, Message
from django_hyber.protocol import CHANNELS, NumberType, field_rules
from django_hyber.protocol.wire.error_codes import CODES
from django_hyber.sandbox import FAULT_OUTCOMES, OUTCOMES
from tests.project.test_plain_words import found_in
from tests.run import CORE_RULES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PACKAGE = Path(django_hyber.__file__).parent
PAGES = sorted(path for path in DOCS.rglob("*.rst") if "_build" not in path.parts)
SCREENS_OF_README = 112


@pytest.fixture(scope="module")
def tables():
    """The module that writes the tables of the reference."""
    pytest.importorskip("prometheus_client")
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        import tables

        yield tables
    finally:
        sys.path.remove(str(DOCS / "_ext"))


def page(name):
    return (REFERENCE / f"{name}.rst").read_text()


def test_readme_takes_two_screens():
    assert len((ROOT / "README.rst").read_text().splitlines()) <= SCREENS_OF_README


def test_every_setting_is_described_once():
    described = re.findall(r"^\.\. setting:: (\w+)$", page("settings"), re.MULTILINE)

    assert sorted(described) == sorted(conf.KEYS)


def test_defaults_in_the_documentation_are_those_of_an_empty_account(tables, settings):
    settings.HYBER = {"default": {}}
    account = conf.get_account()

    assert {key: getattr(account, key.lower()) for key in tables.DEFAULTS} == tables.DEFAULTS


@pytest.mark.parametrize("key", ["LEASE", "PRICES", "THROTTLE", "CALLBACK_TOKENS"])
def test_table_of_settings_has_the_default_and_the_allowed_values(tables, key):
    assert f":setting:`{key}`" in tables.settings()
    assert tables.literal(tables.default_of(key)) in tables.settings()
    assert tables.prose(conf.domains.DOMAINS[key].description) in tables.settings()


def test_every_generated_table_is_on_a_page_and_every_page_asks_for_one_that_exists(tables):
    used = [name for path in PAGES for name in re.findall(r"^\.\. generated:: (.+)$", path.read_text(), re.MULTILINE)]

    assert sorted(used) == sorted(tables.TABLES)


def test_every_service_is_documented():
    documented = re.findall(r"^\.\. auto\w+:: (\w+)$", page("services"), re.MULTILINE)

    assert sorted(documented) == sorted(services.__all__)


def test_every_public_name_of_the_testing_module_is_documented():
    text = (DOCS / "testing.rst").read_text()

    assert [
        name for name in testing.__all__ if f"django_hyber.testing.{name}" not in text and f"``{name}``" not in text
    ] == []


def test_every_signal_is_in_the_table_with_its_arguments():
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]

    assert re.findall(r"^   \* - ``(\w+)``\n     - ``event_id``", page("signals"), re.MULTILINE) == names


def test_every_command_is_documented():
    commands = sorted(path.stem for path in (PACKAGE / "management" / "commands").glob("hyber_*.py"))

    assert re.findall(r"^\.\. generated:: command (\w+)$", page("commands"), re.MULTILINE) == commands


def test_every_check_of_the_source_is_in_the_table(tables):
    ids = {
        found for path in PACKAGE.rglob("*.py") for found in re.findall(r"django_hyber\.[EW]\d{3}", path.read_text())
    }
    ids |= {domain.check_id for domain in conf.domains.DOMAINS.values()}

    assert len(ids) > 30
    assert [check for check in sorted(ids) if f"``{check}``" not in tables.checks()] == []


def test_every_check_in_the_table_says_what_is_wrong_and_how_to_fix_it(tables):
    unreadable = [check for check in tables.find_checks() if check.text == tables.UNKNOWN]

    assert {check.id for check in unreadable} == {"django_hyber.E001"}
    assert [check for check in tables.find_checks() if check.hint == tables.UNKNOWN] == []


def test_every_permission_is_in_the_table(tables):
    shown = tables.permissions()
    models = apps.get_app_config("django_hyber").get_models()
    codes = [code for model in models for code, _label in model._meta.permissions]

    assert codes
    assert [code for code in codes if f"``django_hyber.{code}``" not in shown] == []
    assert [name for name in re.findall(r"``(\w+)``", page("permissions")) if not is_permission(name)] == []


def is_permission(name):
    models = list(apps.get_app_config("django_hyber").get_models())
    usual = {f"{action}_{model._meta.model_name}" for model in models for action in model._meta.default_permissions}
    return name in usual | {code for model in models for code, _label in model._meta.permissions}


def test_every_log_event_is_in_the_table(tables):
    assert [event for event in LogEvent if f"``{event.value}``" not in tables.log_events()] == []


@pytest.mark.django_db
def test_every_metric_of_a_scrape_is_in_the_table(tables, platform):
    from django_hyber.statistics.prometheus import HyberCollector

    names = {gauge.name for gauge in HyberCollector().collect()}

    assert "hyber_due" in names
    assert [name for name in names if f"``{name}``" not in tables.metrics()] == []


@pytest.mark.parametrize("name", CHANNELS)
def test_every_field_of_a_channel_is_in_its_table(tables, name):
    shown = tables.channel(name)

    assert [rule.name for rule in field_rules(CHANNELS[name]) if f"- ``{rule.name}``\n" not in shown] == []


def test_every_status_of_messages_and_campaigns_is_explained():
    explained = re.findall(r"^``(\w+)``  ", page("statuses"), re.MULTILINE)

    assert explained == [*Message.Status.values, *Campaign.Status.values]


def test_what_can_be_done_with_a_campaign_is_in_the_table(tables):
    shown = tables.transitions()

    assert "- ``paused``\n     - resume → ``sending`` or ``scheduled``; cancel → ``cancelled``" in shown
    assert [status for status in Campaign.Status.values if f"* - ``{status}``\n" not in shown] == []


def test_every_code_and_every_type_of_number_is_in_its_table(tables):
    assert [code for code in CODES if f"``{code}``" not in tables.codes()] == []
    assert [kind for kind in NumberType if f"``{kind.value}``" not in tables.number_types()] == []


def test_every_number_of_the_sandbox_is_in_a_table(tables):
    shown = tables.sandbox_outcomes() + tables.sandbox_faults()

    for digits, outcome in (OUTCOMES | FAULT_OUTCOMES).items():
        assert f"* - {digits}\n     - ``{outcome.name}``\n     - {tables.prose(outcome.sentence)}" in shown


@pytest.mark.parametrize("name", ["checks", "log_events", "metrics", "permissions", "settings", "commands"])
def test_tables_of_the_reference_use_plain_words(tables, name):
    shown = "".join(map(tables.command, tables.command_names())) if name == "commands" else tables.TABLES[name]()

    assert found_in(shown) == []


def test_no_page_has_a_table_of_contents_of_its_own():
    """The theme shows one beside each page, and an error in the place of another."""
    assert [path.relative_to(DOCS) for path in PAGES if ".. contents::" in path.read_text()] == []


def test_every_page_is_in_the_index():
    listed = set(re.findall(r"^   ([\w./-]+)$", (DOCS / "index.rst").read_text(), re.MULTILINE))

    assert {path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES} - {"index"} == listed


def pictures_of(name):
    return set(re.findall(r"^\.\. image:: (\S+)$", (DOCS / name).read_text(), re.MULTILINE))


def test_every_picture_is_shown_and_every_shown_one_is_there():
    shown = {picture for name in ("admin.rst", "admin.uk.rst") for picture in pictures_of(name)}

    assert shown == {path.relative_to(DOCS).as_posix() for path in (DOCS / "screenshots").rglob("*.png")}


def test_both_languages_show_the_same_pictures():
    assert {name.replace("/en/", "/uk/") for name in pictures_of("admin.rst")} == pictures_of("admin.uk.rst")


@pytest.mark.parametrize("name", ["admin.rst", "admin.uk.rst"])
def test_every_picture_has_an_alternative_text(name):
    assert (DOCS / name).read_text().count("\n   :alt: ") == len(pictures_of(name))


def test_pictures_are_small():
    assert {path.name for path in (DOCS / "screenshots").rglob("*.png") if path.stat().st_size >= 150_000} == set()


def test_quick_tests_name_files_that_exist():
    assert [path for path in CORE_RULES if not (ROOT / path).exists()] == []
