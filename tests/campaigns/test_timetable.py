"""When a campaign would go out, told before it is launched."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from django_hyber.campaigns.timetable import timetable_of
from django_hyber.models import Campaign

NOON = datetime.fromisoformat("2026-11-25T12:00+02:00")


def at(text):
    return datetime.fromisoformat(f"2026-11-{text}+02:00")


def timetable(people=100, now=NOON, **values):
    return timetable_of(Campaign(**values), people, now)


def test_without_any_limit_it_starts_at_once_and_nobody_knows_the_end():
    found = timetable()

    assert (found.start, found.held_until, found.per_minute, found.opens_at, found.end) == (None,) * 5


@pytest.mark.parametrize(
    ("values", "is_stretched"),
    [
        ({"throttle": 10, "people": 14_000}, False),
        ({"throttle": 10, "people": 15_000}, True),
        ({"throttle": 1, "people": 100_000, "window_start": time(12), "window_end": time(13)}, True),
        ({"people": 1_000_000}, False),
        # Over a night, and yet within 24 hours.
        ({"throttle": 1, "people": 400, "window_start": time(9), "window_end": time(18)}, True),
        ({"throttle": 1, "people": 300, "window_start": time(9), "window_end": time(18)}, False),
    ],
)
def test_throttle_and_window_that_stretch_a_campaign_are_noticed(values, is_stretched):
    assert timetable(**values).is_stretched(NOON) == is_stretched


def test_closing_of_the_window_that_interrupts_the_sending_is_known():
    window = {"throttle": 1, "window_start": time(9), "window_end": time(18)}
    evening = NOON + timedelta(hours=5, minutes=30)

    found = timetable(300, evening, **window)

    assert (found.closes_at, found.end) == (at("25T18:00"), at("26T13:30"))
    assert timetable(30, evening, **window).closes_at is None


def test_waiting_for_the_start_does_not_make_a_campaign_long():
    start = NOON + timedelta(days=20)

    assert not timetable(start_time=start, throttle=60).is_stretched(NOON)


def test_a_later_start_is_held_until_its_hand_over():
    found = timetable(start_time=at("26T12:00"))

    assert (found.start, found.held_until) == (at("26T12:00"), at("26T11:50"))


def test_a_start_of_soon_is_not_held_and_a_past_one_is_now():
    assert timetable(start_time=NOON + timedelta(minutes=5)).held_until is None
    assert timetable(start_time=NOON - timedelta(minutes=5)).start is None


def test_the_slower_of_both_throttles_counts(settings):
    settings.HYBER = {"default": {"THROTTLE": 10}}

    assert timetable(throttle=50).per_minute == 10
    assert timetable(throttle=5).per_minute == 5
    assert timetable(throttle=5).end == NOON + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("window", "people", "opens_at", "end"),
    [
        # An hour at one a minute.
        ((time(9), time(21)), 60, None, at("25T13:00")),
        ((time(14), time(21)), 60, at("25T14:00"), at("25T15:00")),
        # Nine hours are left today; the tenth is tomorrow's first.
        ((time(9), time(21)), 600, None, at("26T10:00")),
        ((time(9), time(10)), 90, at("26T09:00"), at("27T09:30")),
        ((time(22), time(6)), 480, at("25T22:00"), at("26T06:00")),
        # Over so late that it is of no use.
        ((time(9), time(9, 1)), 1_000, at("26T09:00"), None),
    ],
)
def test_a_window_parts_the_work(window, people, opens_at, end):
    start, close = window
    found = timetable(people, throttle=1, window_start=start, window_end=close)

    assert (found.opens_at, found.end) == (opens_at, end)


def test_an_account_that_is_gone_breaks_nothing():
    found = timetable(account="gone", start_time=at("26T12:00"))

    assert (found.held_until, found.per_minute) == (None, None)


def test_the_window_is_that_of_the_projects_clock():
    with timezone.override("America/New_York"):
        assert timetable(window_start=time(13), window_end=time(21)).opens_at == at("25T13:00")
