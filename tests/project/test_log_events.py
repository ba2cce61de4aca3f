"""Every warning and error of the package names an event, by which alerts and searches find it whatever its text."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import pytest

import django_hyber
from django_hyber.log_events import LogEvent
from django_hyber.services import start_campaign
from tests.builders import make_campaign
from tests.samples import phone

PACKAGE = Path(django_hyber.__file__).parent
ROOT = PACKAGE.parent
LOUD = {"warning", "error", "exception", "critical", "log"}


def loud_calls():
    """Yield the place of every call of level WARNING and above, and the call.

    The sandbox is not part of it: it stands for the platform, and imports nothing of the package. Nor is the call
    within ``log_failure``, whose own calls are.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" in path.relative_to(PACKAGE).parts or path.name == "log_events.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            match node.func:
                case ast.Attribute(value=ast.Name(id="logger" | "logging"), attr=attr) if attr in LOUD:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node
                case ast.Name(id="log_failure"):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def extra_of(call):
    """The entries of ``extra`` by key; those of ``**`` have none."""
    if isinstance(call.func, ast.Name):
        return {"event": call.args[0]} | {word.arg: word.value for word in call.keywords if word.arg}
    found = {word.arg: word.value for word in call.keywords}.get("extra")
    if not isinstance(found, ast.Dict):
        return {}
    return {
        key.value: value for key, value in zip(found.keys, found.values, strict=True) if isinstance(key, ast.Constant)
    }


@pytest.fixture(scope="module")
def calls():
    """Every loud call by its place."""
    return dict(loud_calls())


def event_of(call):
    """The name of the event, or None where none is named."""
    match extra_of(call).get("event"):
        case ast.Attribute(value=ast.Name(id="LogEvent"), attr=name) if name in LogEvent.__members__:
            return name
    return None


def test_every_warning_or_error_names_an_event(calls):
    assert [place for place, call in calls.items() if event_of(call) is None] == []


def test_extras_have_no_name_of_personal_data_and_none_that_logging_reserves(calls):
    personal = {"phone", "phone_number", "text", "variables", "name", "url", "reason", "body", "token"}
    reserved = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

    assert {
        place: wrong for place, call in calls.items() if (wrong := extra_of(call).keys() & (personal | reserved))
    } == {}


def test_every_event_is_used_and_described_in_one_line(calls):
    used = {event_of(call) for call in calls.values()}

    assert used == set(LogEvent.__members__)
    for event in LogEvent:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event)
        assert re.fullmatch(r"[A-Z].{10,100}\.", event.description)


@pytest.mark.django_db(transaction=True)
def test_a_record_has_the_event_and_the_ids_as_plain_values(platform, caplog):
    campaign = start_campaign(make_campaign([phone(2, "87")]))

    (record,) = (record for record in caplog.records if getattr(record, "event", "") == "outcome-unknown")
    assert (record.campaign_id, record.batch_id) == (campaign.pk, campaign.batches.get().pk)
    assert record.account == "default"
    assert f"{record.event}" == "outcome-unknown"
