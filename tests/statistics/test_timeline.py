"""Deliveries and failures over time: every message once, in the minute, hour, day or month of the reader's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Message
from django_hyber.statistics.counts import campaign_statistics
from django_hyber.statistics.timeline import delivery_timeline
from tests.queries import statements_of

pytestmark = pytest.mark.django_db

KYIV = ZoneInfo("Europe/Kyiv")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Status = Message.Status


@pytest.fixture
def campaign():
    return Campaign.objects.create(name="Spring sale")


@pytest.fixture
def end(campaign):
    """Let messages of the campaign come to their end at this moment."""

    def end(moment, count=1, status=Status.DELIVERED):
        first = campaign.messages.count()
        Message.objects.bulk_create(
            Message(
                campaign=campaign,
                phone_number=f"38067{number:07}",
                extra_id=f"{campaign.pk}-{number}",
                status=status,
                finished_at=moment,
            )
            for number in range(first, first + count)
        )

    return end


def columns(campaign):
    """The unit, and of each column its start by the clock on the wall, what arrived and what failed."""
    numbers = campaign_statistics(campaign)
    timeline = delivery_timeline(campaign, numbers.first_end, numbers.last_end)
    return timeline.unit, [
        (f"{column.start:%m-%d %H:%M %z}", column.delivered, column.failed) for column in timeline.columns
    ]


def local(*moment):
    return datetime(*moment, tzinfo=KYIV)


def test_before_anything_has_ended_there_is_none(campaign, end):
    end(None, status=Status.QUEUED)

    assert delivery_timeline(campaign, None, None) is None


def test_what_arrived_and_what_failed_are_told_apart(campaign, end):
    noon = local(2026, 6, 10, 12, 0, 59)
    for count, status in enumerate(Status.values, start=1):
        end(noon, count, status)
    counted = dict(zip(Status.values, range(1, 20), strict=False))

    assert columns(campaign) == (
        "minute",
        [
            (
                "06-10 12:00 +0300",
                counted["delivered"] + counted["seen"],
                counted["expired"] + counted["undelivered"] + counted["rejected"],
            )
        ],
    )


def test_last_millisecond_of_a_minute_belongs_to_it(campaign, end):
    end(local(2026, 6, 10, 12, 0, 59, 999_000))
    end(local(2026, 6, 10, 12, 1), 2)

    assert columns(campaign) == ("minute", [("06-10 12:00 +0300", 1, 0), ("06-10 12:01 +0300", 2, 0)])


def test_minutes_without_a_message_have_their_place(campaign, end):
    end(local(2026, 6, 10, 12, 0, 59), 2)
    end(local(2026, 6, 10, 12, 3), 1, Status.EXPIRED)

    assert columns(campaign) == (
        "minute",
        [
            ("06-10 12:00 +0300", 2, 0),
            ("06-10 12:01 +0300", 0, 0),
            ("06-10 12:02 +0300", 0, 0),
            ("06-10 12:03 +0300", 0, 1),
        ],
    )


@pytest.mark.parametrize(
    ("span", "unit", "length"),
    [
        (2 * HOUR, "minute", 121),
        (2 * HOUR + MINUTE, "hour", 3),
        (5 * DAY, "hour", 121),
        (5 * DAY + MINUTE, "day", 6),
        (120 * DAY, "day", 121),
        (121 * DAY, "month", 5),
    ],
)
def test_the_unit_suits_the_span(campaign, end, span, unit, length):
    begin = local(2026, 6, 10, 12)
    end(begin, 3)
    end(begin + span, 4)

    found, drawn = columns(campaign)

    assert (found, len(drawn)) == (unit, length)
    assert drawn[0][1:] == (3, 0)
    assert drawn[-1][1:] == (4, 0)
    assert sum(delivered for _start, delivered, _failed in drawn) == 7


def test_a_day_begins_at_midnight_of_the_reader(campaign, end):
    end(local(2026, 6, 1, 23, 59, 59), 1)
    end(local(2026, 6, 2, 0, 0), 2)
    end(local(2026, 6, 9, 12), 3)

    assert columns(campaign)[1][:2] == [("06-01 00:00 +0300", 1, 0), ("06-02 00:00 +0300", 2, 0)]
    with timezone.override(UTC):
        assert columns(campaign)[1][:2] == [("06-01 00:00 +0000", 3, 0), ("06-02 00:00 +0000", 0, 0)]


def test_zones_that_are_half_an_hour_off_have_their_own_hours(campaign, end):
    end(datetime(2026, 6, 10, 18, 29, tzinfo=UTC), 1)
    end(datetime(2026, 6, 10, 18, 30, tzinfo=UTC), 2)
    end(datetime(2026, 6, 10, 21, 30, tzinfo=UTC), 4)

    with timezone.override("Asia/Kolkata"):
        assert columns(campaign) == (
            "hour",
            [
                ("06-10 23:00 +0530", 1, 0),
                ("06-11 00:00 +0530", 2, 0),
                ("06-11 01:00 +0530", 0, 0),
                ("06-11 02:00 +0530", 0, 0),
                ("06-11 03:00 +0530", 4, 0),
            ],
        )


def test_the_hour_that_comes_twice_has_two_columns(campaign, end):
    for hours in range(4):
        end(datetime(2026, 10, 24, 23, 30, tzinfo=UTC) + hours * HOUR, hours + 1)

    assert columns(campaign) == (
        "hour",
        [
            ("10-25 02:00 +0300", 1, 0),
            ("10-25 03:00 +0300", 2, 0),
            ("10-25 03:00 +0200", 3, 0),
            ("10-25 04:00 +0200", 4, 0),
        ],
    )


def test_the_hour_that_is_skipped_has_none(campaign, end):
    for hours in range(4):
        end(datetime(2026, 3, 28, 23, 30, tzinfo=UTC) + hours * HOUR, hours + 1)

    assert [start for start, *_ in columns(campaign)[1]] == [
        "03-29 01:00 +0200",
        "03-29 02:00 +0200",
        "03-29 04:00 +0300",
        "03-29 05:00 +0300",
    ]


def test_days_of_23_and_25_hours_are_days(campaign, end):
    end(local(2026, 3, 27, 12), 1)
    end(local(2026, 3, 29, 23, 59), 2)
    end(local(2026, 4, 2, 12), 3)

    unit, drawn = columns(campaign)

    assert unit == "day"
    assert [start[:5] for start, *_ in drawn] == ["03-27", "03-28", "03-29", "03-30", "03-31", "04-01", "04-02"]
    assert [delivered for _, delivered, _ in drawn] == [1, 0, 2, 0, 0, 0, 3]


def test_months_of_any_length_are_months(campaign, end):
    end(local(2025, 12, 31, 23, 59), 1)
    end(local(2026, 1, 1), 2)
    end(local(2026, 5, 31, 12), 3)

    unit, drawn = columns(campaign)

    assert unit == "month"
    assert [start[:5] for start, *_ in drawn] == ["12-01", "01-01", "02-01", "03-01", "04-01", "05-01"]
    assert [delivered for _, delivered, _ in drawn] == [1, 2, 0, 0, 0, 3]


def test_it_is_counted_by_the_database_in_one_query(campaign, end):
    numbers = []
    for count in (1, 200):
        end(local(2026, 6, 10, 12), count)
        numbers.append(len(statements_of(delivery_timeline, campaign, local(2026, 6, 10, 12), local(2026, 6, 10, 13))))

    assert numbers == [1, 1]
