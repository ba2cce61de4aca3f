from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from django_hyber.models import Message
from django_hyber.protocol import ReportState, parse_report
from django_hyber.reports import ranks
from django_hyber.reports.ranks import Standing, is_forward, status_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
#: From the weakest to the strongest; those in a line have the same rank.
LADDER = [
    ["queued"],
    ["sending", "unconfirmed", "cancelled", "suppressed"],
    ["accepted"],
    ["expired", "undelivered", "rejected"],
    ["delivered"],
    ["seen"],
]


def standing(status="accepted", time=NOON, hyber_status=1, error_code=1, error_text="a"):
    return Standing(status, time, hyber_status, error_code, error_text)


def report(channel, state):
    wire = {
        ReportState.DELIVERED: {"status": 2, "substatus": 23, "hyber_status": 23011},
        ReportState.EXPIRED: {"status": 3, "substatus": 35, "hyber_status": 35015},
        ReportState.UNDELIVERED: {"status": 3, "substatus": 36, "hyber_status": 36099},
        ReportState.PENDING: {"status": 1, "substatus": 11, "hyber_status": 11099},
    }[state]
    found = parse_report({"extra_id": "own-1", "sent_via": channel, **wire})
    assert (found.state, found.channel) == (state, channel)
    return found


def test_every_status_has_a_rank():
    assert set(ranks.RANKS) == set(Message.Status)
    assert sorted(status for rung in LADDER for status in rung) == sorted(Message.Status)


def test_every_state_of_a_report_has_a_status():
    assert set(ranks.STATUS_OF_STATE) == set(ReportState)


@pytest.mark.parametrize(("low", "high"), [(low, high) for high in range(len(LADDER)) for low in range(high)])
def test_higher_status_wins_whatever_the_times(low, high):
    for weak in LADDER[low]:
        for strong in LADDER[high]:
            for time in (None, NOON - timedelta(days=1), LATER):
                assert is_forward(standing(weak), standing(strong, time))
                assert not is_forward(standing(strong, time), standing(weak))


@pytest.mark.parametrize("status", ["accepted", "expired", "undelivered", "rejected"])
def test_later_report_of_the_same_rank_wins(status):
    assert is_forward(standing(status), standing(status, LATER))
    assert not is_forward(standing(status, LATER), standing(status))


@pytest.mark.parametrize("status", ["delivered", "seen"])
def test_earlier_delivery_wins(status):
    assert is_forward(standing(status, LATER), standing(status))
    assert not is_forward(standing(status), standing(status, LATER))


@pytest.mark.parametrize("status", ["accepted", "undelivered", "delivered", "seen"])
def test_report_without_a_time_is_the_weakest_of_its_rank(status):
    for time in (NOON, datetime(1970, 1, 1, tzinfo=UTC), datetime(1960, 1, 1, tzinfo=UTC)):
        assert is_forward(standing(status, None), standing(status, time))
        assert not is_forward(standing(status, time), standing(status, None))


@pytest.mark.parametrize("status", ["accepted", "undelivered", "delivered"])
@pytest.mark.parametrize("time", [None, NOON])
@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ({"hyber_status": None}, {"hyber_status": 0}),
        ({"hyber_status": 0}, {"hyber_status": 1}),
        ({"error_code": None}, {"error_code": 0}),
        ({"error_code": 1}, {"error_code": 2}),
        ({"error_code": -1}, {"error_code": 1}),
        ({"error_text": "a"}, {"error_text": "b"}),
        # Each fact counts only if those before it are equal.
        ({"hyber_status": 1, "error_code": 2}, {"hyber_status": 2, "error_code": 1}),
        ({"error_code": 1, "error_text": "b"}, {"error_code": 2, "error_text": "a"}),
    ],
    ids=str,
)
def test_facts_decide_between_reports_of_the_same_time(status, time, weaker, stronger):
    weak, strong = standing(status, time, **weaker), standing(status, time, **stronger)

    assert is_forward(weak, strong)
    assert not is_forward(strong, weak)


@pytest.mark.parametrize("statuses", [["expired", "undelivered", "rejected"], ["sending", "unconfirmed", "suppressed"]])
def test_name_of_the_status_decides_last(statuses):
    for weak, strong in permutations(statuses, 2):
        assert is_forward(standing(weak), standing(strong)) == (weak < strong)


@pytest.mark.parametrize("status", Message.Status.values)
@pytest.mark.parametrize("time", [None, NOON])
def test_repetition_is_not_forward(status, time):
    assert not is_forward(standing(status, time), standing(status, time))


def test_failure_of_a_channel_is_not_final_while_another_follows():
    channels = ["push", "viber", "sms"]
    expired = {channel: status_of(report(channel, ReportState.EXPIRED), channels) for channel in channels}

    assert expired == {"push": "accepted", "viber": "accepted", "sms": "expired"}


@pytest.mark.parametrize("channels", [["viber"], ["sms"], ["sms", "viber"], []])
def test_failure_of_the_last_or_an_unknown_channel_is_final(channels):
    assert status_of(report("viber", ReportState.UNDELIVERED), channels) == "undelivered"


@pytest.mark.parametrize("channel", ["viber", "sms"])
def test_delivery_by_any_channel_is_a_delivery(channel):
    assert status_of(report(channel, ReportState.DELIVERED), ["viber", "sms"]) == "delivered"
    assert status_of(report(channel, ReportState.PENDING), ["viber", "sms"]) == "accepted"
