"""How reports are called back."""

import time
from datetime import UTC, datetime

from tests.sandbox.bodies import broadcast, single


def test_reports_of_a_mass_request_come_in_arrays_of_the_batch_size(start, receiver):
    api = start(report_batch=2)
    api.post("/broadcast", json=broadcast("00", "01", "02", "03", "04", callback_url=receiver.url))
    receiver.wait_for(5)
    assert [len(body) for body in receiver.bodies] == [2, 2, 1]


def test_single_reports_are_objects(api, receiver):
    api.post(json=single(callback_url=receiver.url))
    receiver.wait_for(1)
    assert isinstance(receiver.bodies[0], dict)


def test_single_report_does_not_wait_for_the_round_of_mass_requests(start, receiver):
    api = start(report_interval=60)
    for _ in range(2):
        api.post("/broadcast", json=broadcast("00", callback_url=receiver.url))
        receiver.wait_for(1)
    api.post(json=single(extra_id="one-time-code", callback_url=receiver.url))
    assert [report["extra_id"] for report in receiver.wait_for(2)] == ["e-0", "one-time-code"]


def test_callback_is_repeated_after_an_error_of_the_host(api, receiver):
    receiver.statuses = [500, 503]
    api.post(json=single(callback_url=receiver.url))
    assert api.sandbox.wait_idle(5)
    assert len(receiver.reports) == 1
    counts = api.sandbox.ledger.callbacks
    assert (counts.sent, counts.answered_200, counts.failed, counts.reports) == (3, 1, 0, 1)


def test_callback_is_given_up_after_some_attempts(api, receiver, monkeypatch):
    monkeypatch.setattr("django_hyber.sandbox.callback_sender.RETRY_DELAYS", (0.01, 0.01))
    receiver.statuses = [500] * 10
    api.post(json=single(callback_url=receiver.url))
    assert api.sandbox.wait_idle(5)
    counts = api.sandbox.ledger.callbacks
    assert (counts.sent, counts.answered_200, counts.failed) == (3, 0, 1)


def test_callback_that_the_host_refuses_is_not_repeated(api, receiver):
    receiver.statuses = [403]
    api.post(json=single(callback_url=receiver.url))
    assert api.sandbox.wait_idle(5)
    counts = api.sandbox.ledger.callbacks
    assert (counts.sent, counts.failed) == (1, 1)


def test_callback_survives_a_host_that_is_down(api, monkeypatch):
    monkeypatch.setattr("django_hyber.sandbox.callback_sender.RETRY_DELAYS", (0.01,))
    api.post(json=single(callback_url="http://127.0.0.1:9/reports/"))
    assert api.sandbox.wait_idle(5)
    assert api.sandbox.ledger.callbacks.failed == 1


def test_connection_to_the_host_is_kept(api, receiver):
    for number in range(5):
        api.post(json=single(extra_id=f"e-{number}", callback_url=receiver.url))
    assert len(receiver.wait_for(5)) == 5
    assert len(receiver.connections) == 1


def test_callbacks_can_be_switched_off(start, receiver):
    api = start(callbacks=False)
    api.post(json=single("95", callback_url=receiver.url))
    api.post(json=single("00", extra_id="e-2", callback_url=receiver.url))
    assert api.sandbox.wait_idle(5)
    assert receiver.reports == []
    assert api.report("e-1")["status"] == 2


def test_future_start_time_is_honoured(start, receiver):
    now = [1_900_000_000.0]
    api = start(clock=lambda: now[0])
    begins = datetime.fromtimestamp(now[0] + 60, UTC)
    start_time = begins.strftime("%Y-%m-%d %H:%M:%S+00:00")
    api.post(json=single(start_time=start_time, callback_url=receiver.url))
    assert api.report("e-1", "advanced")["started"] is False
    now[0] += 59
    assert not api.sandbox.wait_idle(0.05)
    assert receiver.reports == []
    now[0] += 2
    assert receiver.wait_for(1)[0]["time"] >= begins.timestamp() * 1000


def test_clock_can_be_the_tests_own(start, receiver):
    now = [1_900_000_000.0]
    api = start(clock=lambda: now[0], latency=3600)
    api.post(json=single(callback_url=receiver.url))
    assert not api.sandbox.wait_idle(0.05)
    now[0] += 3601
    assert receiver.wait_for(1)[0]["time"] == 1_900_003_601_000


def test_flush_lets_future_reports_happen_now(api, receiver):
    api.post(json=single("91", start_time="2099-01-01 10:00:00+02:00", callback_url=receiver.url))
    assert api.sandbox.flush() == 2
    delivered, seen = receiver.wait_for(2)
    assert delivered["time"] < seen["time"] < time.time() * 1000 + 1000


def test_time_of_a_report_is_in_milliseconds(api, receiver):
    before = time.time()
    api.post(json=single(callback_url=receiver.url))
    (report,) = receiver.wait_for(1)
    assert before * 1000 - 1 <= report["time"] <= time.time() * 1000
