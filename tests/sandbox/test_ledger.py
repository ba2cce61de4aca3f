"""What tests can read and change, in the process and under /_sandbox/."""

import time

import pytest
import requests

from tests.sandbox.bodies import broadcast, single


def control(api, method, path, **options):
    return requests.request(method, f"{api.sandbox.origin}/_sandbox/{path}", timeout=10, **options)


def test_ledger_counts_what_was_asked_and_done(api, receiver):
    api.post(json=single(callback_url=receiver.url))
    api.post(json=single(callback_url=receiver.url))
    api.post("/broadcast", json=broadcast("89", "92", callback_url=receiver.url))
    assert api.sandbox.wait_idle(5)
    assert control(api, "GET", "ledger").json() == {
        "requests": 3,
        "taken": 3,
        "refused": 1,
        "distinct": 2,
        "duplicates": {"e-1": 2},
        "outcomes": {"delivered": 2, "expired": 1},
        "callbacks": {"sent": 3, "answered_200": 3, "failed": 0, "reports": 3},
    }


def test_in_process_ledger_is_the_same(api):
    api.post(json=single())
    assert api.sandbox.ledger.as_dict() == control(api, "GET", "ledger").json()


def test_external_report_is_about_the_latest_duplicate(api):
    api.post(json=single())
    latest = api.post(json=single()).json()["message_id"]
    assert api.report("e-1")["message_id"] == latest


def test_requests_are_recorded_without_the_password(api):
    api.post(json=single())
    answer = control(api, "GET", "requests")
    (request,) = answer.json()["requests"]
    assert (request["method"], request["path"], request["authorized"]) == ("POST", "/sandbox", True)
    assert '"e-1"' in request["body"]
    assert request["headers"]["Content-Type"] == "application/json"
    assert "authorization" not in answer.text.lower().replace("authorized", "")
    assert [recorded.as_dict() for recorded in api.sandbox.requests] == [request]


def test_unauthorized_request_is_recorded_as_such(api):
    api.post(json=single(), auth=("sandbox", "wrong"))
    assert api.sandbox.requests[0].authorized is False


def test_last_requests_can_be_limited(api):
    for number in range(3):
        api.post(json=single(extra_id=f"e-{number}"))
    (request,) = control(api, "GET", "requests?limit=1").json()["requests"]
    assert '"e-2"' in request["body"]
    assert control(api, "GET", "requests?limit=many").status_code == 400


def test_long_body_is_not_kept_in_full(api):
    api.post(json=single(note="a" * 200_000))
    (request,) = api.sandbox.requests
    assert request.body_size > 200_000
    assert len(request.body) == 64 * 1024


def test_reset_forgets_everything(start, receiver):
    api = start(latency=0.2)
    api.post(json=single(callback_url=receiver.url))
    api.sandbox.fault("down")
    assert control(api, "POST", "reset").status_code == 200
    assert api.get("/api/dr/external/e-1/simple").status_code == 404
    assert api.sandbox.ledger.taken == 0
    assert api.post(json=single("93")).status_code == 200
    time.sleep(0.3)
    assert receiver.reports == []


def test_flush_over_http_waits_until_reports_are_sent(start, receiver):
    api = start(latency=3600)
    api.post(json=single(callback_url=receiver.url))
    assert control(api, "POST", "flush").json() == {"steps": 1, "idle": True}
    assert len(receiver.reports) == 1


def test_wait_idle_says_when_it_took_too_long(start):
    api = start(latency=3600)
    api.post(json=single())
    assert api.sandbox.wait_idle(0.05) is False


def test_unknown_control_url_is_404(api):
    assert control(api, "GET", "secrets").status_code == 404


class TestFaults:
    def test_down_is_a_503_for_the_next_posts_only(self, api):
        control(api, "POST", "faults", json={"kind": "down", "count": 2})
        assert [api.post(json=single()).status_code for _ in range(3)] == [503, 503, 200]
        assert api.sandbox.ledger.taken == 1

    def test_gets_are_not_hit(self, api):
        api.post(json=single())
        api.sandbox.fault("down")
        assert api.report("e-1")["extra_id"] == "e-1"

    def test_status_answers_as_told(self, api):
        control(api, "POST", "faults", json={"status": 502})
        answer = api.post(json=single())
        assert (answer.status_code, answer.content) == (502, b"")

    def test_drop_request_takes_nothing(self, api):
        api.sandbox.fault("drop_request")
        with pytest.raises(requests.ConnectionError):
            api.post(json=single())
        assert api.sandbox.ledger.taken == 0

    def test_drop_answer_takes_the_message(self, api):
        api.sandbox.fault("drop_answer")
        with pytest.raises(requests.ConnectionError):
            api.post(json=single())
        assert api.sandbox.ledger.taken == 1

    def test_silent_takes_the_message_and_lets_the_client_wait(self, api):
        api.sandbox.fault("silent", seconds=30)
        with pytest.raises(requests.ReadTimeout):
            api.session.post(api.sandbox.url, json=single(), timeout=0.2)
        assert api.sandbox.ledger.taken == 1

    @pytest.mark.parametrize("body", [b"{", b"[]", b'{"kind": "fire"}', b'{"kind": "down", "count": "all"}'])
    def test_unreadable_fault_is_refused(self, api, body):
        answer = control(api, "POST", "faults", data=body)
        assert answer.status_code == 400
        assert api.post(json=single()).status_code == 200
