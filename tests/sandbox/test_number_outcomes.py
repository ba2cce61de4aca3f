"""The outcome of a message, by the last two digits of its phone number."""

import time

import pytest
import requests

from django_hyber.sandbox import DELIVERED, OUTCOMES, outcome_for
from tests.sandbox.bodies import SMS, VIBER, broadcast, single


@pytest.fixture
def send(api, receiver):
    def send_and_wait(digits, **options):
        answer = api.post(json=single(digits, callback_url=receiver.url, **options))
        assert answer.status_code == 200
        assert api.sandbox.wait_idle(5)
        return receiver.reports

    return send_and_wait


def codes(report):
    return report["status"], report["substatus"], report["hyber_status"]


def test_last_two_digits_choose_the_outcome():
    assert outcome_for("380961111192") is OUTCOMES["92"]
    assert outcome_for("380961119211") is DELIVERED


def test_other_digits_are_delivered_by_the_first_channel(send):
    (report,) = send("00")
    assert report["sent_via"] == "viber"
    assert codes(report) == (2, 23, 23043)


def test_85_is_never_called_back_but_a_get_tells_the_delivery(send, api):
    assert send("85") == []
    assert api.report("e-1")["status"] == 2


def test_86_has_two_clicks_with_ctr(send):
    (report,) = send("86", channels=["sms"], channel_options={"sms": SMS | {"ctr": True}})
    assert report["clicks"] == 2


def test_86_has_no_clicks_without_ctr(send):
    (report,) = send("86")
    assert "clicks" not in report


def test_87_closes_the_connection_and_takes_only_the_repeat(api):
    with pytest.raises(requests.ConnectionError):
        api.post(json=single("87"))
    assert api.sandbox.ledger.taken == 0
    assert api.post(json=single("87")).status_code == 200
    assert api.sandbox.ledger.taken == 1


@pytest.mark.parametrize(("digits", "template"), [("59", 0), ("00", 1000001)])
def test_a_text_of_viber_matches_a_template_or_none(send, digits, template):
    (report,) = send(digits)
    assert (report["sent_via"], report["matching_template_id"]) == ("viber", template)


def test_87_fails_again_for_another_extra_id(api):
    for extra_id in ("e-1", "e-2"):
        with pytest.raises(requests.ConnectionError):
            api.post(json=single("87", extra_id=extra_id))


def test_88_loses_the_last_part_of_an_sms(send):
    (report,) = send("88", channels=["sms"], channel_options={"sms": SMS | {"text": "a" * 400}})
    assert codes(report) == (2, 23, 23011)
    assert (report["total_sms_parts"], report["delivered_sms_parts"]) == (3, 2)


def test_88_is_plainly_delivered_by_another_first_channel(send):
    (report,) = send("88")
    assert report["sent_via"] == "viber"
    assert "total_sms_parts" not in report


def test_89_expires_on_every_channel(send, api):
    (report,) = send("89")
    assert codes(report) == (3, 35, 35015)
    assert report["sent_via"] == "sms"
    tried = api.report("e-1", "advanced")["reports"]
    assert [(entry["last_partner"], entry["substatus"]) for entry in tried] == [("viber", 35), ("sms", 35)]


def test_90_is_delivered_by_the_next_channel(send, api):
    (report,) = send("90")
    assert report["sent_via"] == "sms"
    assert report["status"] == 2
    tried = api.report("e-1", "advanced")["reports"]
    assert [(entry["last_partner"], entry["status"]) for entry in tried] == [("viber", 3), ("sms", 2)]


def test_90_expires_when_there_is_no_next_channel(send):
    (report,) = send("90", channels=["viber"])
    assert codes(report) == (3, 35, 35015)


def test_91_is_delivered_then_seen(send, api):
    delivered, seen = send("91")
    assert codes(delivered) == (2, 23, 23043)
    assert codes(seen) == (2, 23, 23099)
    assert seen["time"] > delivered["time"]
    assert api.report("e-1")["hyber_status"] == 23099


def test_92_is_refused(api):
    answer = api.post(json=single("92"))
    assert answer.status_code == 400
    assert answer.json() == {"error_code": 36024, "error_text": "Phone number incorrect"}
    assert api.sandbox.ledger.taken == 0


def test_93_is_taken_and_never_reported(send, api):
    assert send("93") == []
    assert api.report("e-1")["status"] == -1


def test_94_is_taken_without_an_answer_and_a_repeat_is_a_duplicate(api, receiver):
    with pytest.raises(requests.ConnectionError):
        api.post(json=single("94", callback_url=receiver.url))
    assert api.sandbox.ledger.taken == 1
    assert "message_id" in api.post(json=single("94")).json()
    assert api.sandbox.ledger.duplicates == {"e-1": 2}
    assert receiver.wait_for(1)[0]["status"] == 2


def test_95_is_reported_before_the_answer(start, receiver):
    api = start(latency=60)
    answer = api.post(json=single("95", callback_url=receiver.url))
    (report,) = receiver.reports
    assert report["message_id"] == answer.json()["message_id"]


def test_96_is_reported_twice_with_the_same_report(send):
    first, second = send("96")
    assert first == second


def test_97_reports_the_older_failure_after_the_delivery(send):
    delivered, failure = send("97")
    assert (delivered["sent_via"], delivered["status"]) == ("sms", 2)
    assert (failure["sent_via"], failure["status"]) == ("viber", 3)
    assert failure["time"] < delivered["time"]


def test_97_with_one_channel_reports_the_older_start_after_the_delivery(send, api):
    delivered, started = send("97", channels=["sms"])
    assert (delivered["status"], started["status"]) == (2, 1)
    assert started["time"] < delivered["time"]
    assert api.report("e-1")["status"] == 2


def test_98_answers_503_once_then_takes_the_message(api):
    answer = api.post(json=single("98"))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.content == b""
    assert api.sandbox.ledger.taken == 0
    assert api.post(json=single("98")).status_code == 200


def test_99_is_undelivered_on_every_channel(send):
    (report,) = send("99")
    assert codes(report) == (3, 36, 36099)
    assert report["sent_via"] == "sms"


def test_ttl_is_scaled_before_a_channel_expires(start, receiver):
    api = start(time_scale=0.005)
    began = time.monotonic()
    api.post(json=single("89", channels=["viber"], callback_url=receiver.url))
    assert receiver.wait_for(1)
    # Timers and clocks differ a little.
    assert time.monotonic() - began >= VIBER["ttl"] * 0.005 * 0.8


class TestMassRequests:
    def test_every_recipient_has_an_outcome_of_its_own(self, api, receiver):
        api.post("/broadcast", json=broadcast("00", "89", "90", "93", "99", callback_url=receiver.url))
        assert api.sandbox.wait_idle(5)
        reported = {report["extra_id"]: (report["status"], report["sent_via"]) for report in receiver.reports}
        assert reported == {"e-0": (2, "viber"), "e-1": (3, "sms"), "e-2": (2, "sms"), "e-4": (3, "sms")}

    def test_rejected_entry_does_not_cost_its_neighbours(self, api):
        entries = api.post("/broadcast/sync", json=broadcast("00", "92")).json()["messages"]
        assert {
            "processed": False,
            "phone_number": "380961110192",
            "extra_id": "e-1",
            "accepted": False,
            "error_code": 36024,
            "error_text": "Phone number incorrect",
        } in entries
        assert [entry["extra_id"] for entry in entries if entry["accepted"]] == ["e-0"]

    @pytest.mark.parametrize("digits", ["87", "94", "98"])
    def test_transport_outcomes_follow_the_first_recipient(self, api, digits):
        assert api.post("/broadcast", json=broadcast("00", digits)).status_code == 200
        assert api.sandbox.wait_idle(5)
        assert api.report("e-1")["status"] == 2

    def test_98_first_refuses_the_whole_request_once(self, api):
        assert api.post("/broadcast", json=broadcast("98", "00")).status_code == 503
        assert api.sandbox.ledger.taken == 0
        assert api.post("/broadcast", json=broadcast("98", "00")).status_code == 200
        assert api.sandbox.ledger.taken == 2

    def test_94_first_takes_the_whole_request_without_an_answer(self, api):
        with pytest.raises(requests.ConnectionError):
            api.post("/broadcast", json=broadcast("94", "00"))
        assert api.sandbox.ledger.taken == 2

    def test_95_first_reports_the_first_recipient_before_the_answer(self, start, receiver):
        api = start(latency=60)
        api.post("/broadcast", json=broadcast("95", "00", callback_url=receiver.url))
        assert [[report["extra_id"] for report in body] for body in receiver.bodies] == [["e-0"]]
