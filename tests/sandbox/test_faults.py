"""Faults on the wire: what a client without any intelligence sees, and what the platform has taken meanwhile."""

import math
import time
from contextlib import ExitStack

import pytest
import requests

from django_hyber.sandbox import FAULT_OUTCOMES, Sandbox
from django_hyber.sandbox.faults import KINDS, PATHS
from tests.sandbox.bodies import broadcast, single
from tests.sandbox.raw import RawClient

SECONDS = 0.15
# Longer than two requests of a busy machine are apart.
IDLE = 0.4
PAGES = [301, 303, 403, 404, 413, 502, 503, 504]


@pytest.fixture
def connect():
    with ExitStack() as stack:

        def connect_to(api):
            client = RawClient(api.sandbox)
            stack.callback(client.close)
            return client

        yield connect_to


@pytest.fixture
def now():
    """The time of a sandbox whose clock the test moves."""
    return [1_900_000_000.0]


@pytest.fixture
def client(api, connect):
    return connect(api)


def control(api, method, path, json=None):
    return requests.request(method, f"{api.sandbox.origin}/_sandbox/{path}", json=json, timeout=5)


def add_fault(api, **fault):
    answer = control(api, "POST", "faults", fault)
    assert answer.status_code == 200, answer.text


def taken(api):
    return api.sandbox.ledger.taken


def wait_until_taken(api):
    deadline = time.monotonic() + 5
    while not taken(api):
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestAnswersOfProxies:
    @pytest.mark.parametrize("status", PAGES)
    @pytest.mark.parametrize("is_taken", [False, True])
    def test_page_comes_before_or_after_the_message_is_taken(self, api, client, status, is_taken):
        add_fault(api, kind="page", status=status, taken=is_taken)
        client.ask(body=single())
        assert (client.status, client.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert client.body.startswith(b"<html>")
        assert taken(api) == is_taken

    @pytest.mark.parametrize("status", [301, 303])
    def test_redirection_names_a_location(self, api, client, status):
        add_fault(api, kind="page", status=status)
        assert client.ask(body=single()).headers["Location"] == "/moved"

    @pytest.mark.parametrize("kind", ["page", "status", "error"])
    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after_comes_only_when_it_is_asked_for(self, api, client, kind, status):
        add_fault(api, kind=kind, status=status, retry_after=7)
        add_fault(api, kind=kind, status=status)
        assert client.ask(body=single()).headers["Retry-After"] == "7"
        assert "Retry-After" not in client.ask(body=single()).headers
        assert (client.status, taken(api)) == (status, 0)

    def test_interim_status_is_the_last_that_comes(self, api, client):
        add_fault(api, kind="status", status=102, taken=True)
        client.ask(body=single())
        assert (client.status, client.body, client.end) == (102, b"", "closed")
        assert taken(api) == 1

    def test_not_json_is_a_page_at_200(self, api, client):
        add_fault(api, kind="not_json")
        client.ask(body=single())
        assert (client.status, client.body[:6], taken(api)) == (200, b"<html>", 1)

    def test_empty_is_a_200_without_a_body(self, api, client):
        add_fault(api, kind="empty")
        client.ask(body=single())
        assert (client.status, client.body, taken(api)) == (200, b"", 1)


class TestErrorsOfThePlatform:
    @pytest.mark.parametrize("is_taken", [False, True])
    def test_server_error_with_an_error_code_before_or_after_the_message_is_taken(self, api, client, is_taken):
        add_fault(api, kind="error", status=500, error_code=36024, taken=is_taken)
        client.ask(body=single())
        assert (client.status, client.json["error_code"]) == (500, 36024)
        assert taken(api) == is_taken

    def test_wrong_password_for_everything_until_it_ends(self, api, client):
        add_fault(api, kind="status", status=401, paths=PATHS, count=None)
        for path, body in (("", single()), ("/batch", broadcast()), ("/status/1", None), ("/api/dr/1/simple", None)):
            client.ask(path, body)
            assert (client.status, client.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        control(api, "DELETE", "faults")
        assert client.ask(body=single()).status == 200

    def test_refused_account_for_everything_until_it_ends(self, api, client):
        add_fault(api, kind="error", status=403, paths=PATHS, count=None)
        assert [client.ask(body=single()).status for _ in range(3)] == [403, 403, 403]
        assert client.ask("/api/dr/external/e-1/simple").json.keys() == {"error_code", "error_text"}
        api.sandbox.clear_faults()
        assert client.ask(body=single()).status == 200


class TestSlowAndBrokenAnswers:
    def test_trickled_body_comes_byte_by_byte_after_the_message_was_taken(self, api, client):
        add_fault(api, kind="trickle", seconds=SECONDS)
        client.ask(body=single())
        assert client.pieces[0].startswith(client.head.encode())
        assert len(client.pieces) > len(client.body) // 2
        assert client.seconds >= SECONDS * 0.8
        assert "message_id" in client.json
        assert taken(api) == 1

    def test_message_is_taken_before_the_trickle_ends(self, api, client):
        add_fault(api, kind="trickle", seconds=30)
        client.send(body=single())
        assert client.socket.recv(9) == b"HTTP/1.1 "
        assert taken(api) == 1

    def test_trickled_head_comes_in_pieces(self, api, client):
        add_fault(api, kind="trickle_head", seconds=SECONDS)
        client.ask(body=single())
        assert len(client.pieces[0]) < len(b"HTTP/1.1 200 OK")
        assert client.seconds >= SECONDS * 0.8
        assert (client.status, "message_id" in client.json) == (200, True)

    def test_long_trickle_ends_in_time(self, api, client):
        add_fault(api, kind="trickle", seconds=SECONDS)
        client.ask("/broadcast/sync", broadcast(*["00"] * 99))
        assert len(client.json["messages"]) == 99
        assert client.seconds < 10 * SECONDS

    def test_late_answer_is_whole(self, api, client):
        add_fault(api, kind="late_answer", seconds=SECONDS)
        client.ask(body=single())
        # A sleep may end early by another clock.
        assert client.seconds > SECONDS / 2
        assert (client.end, "message_id" in client.json) == ("complete", True)

    def test_message_is_taken_before_the_late_answer(self, api, client):
        add_fault(api, kind="late_answer", seconds=30)
        client.send(body=single())
        wait_until_taken(api)
        client.socket.settimeout(SECONDS)
        with pytest.raises(TimeoutError):
            client.receive()

    @pytest.mark.parametrize(("kind", "end"), [("half_answer", "closed"), ("reset_answer", "reset")])
    def test_half_of_the_body_comes_after_the_message_was_taken(self, api, client, kind, end):
        add_fault(api, kind=kind)
        client.ask(body=single())
        assert 0 < len(client.body) < int(client.headers["Content-Length"])
        assert (client.end, taken(api)) == (end, 1)

    @pytest.mark.parametrize(("kind", "count"), [("drop_request", 0), ("drop_answer", 1), ("silent", 1)])
    def test_connection_is_closed_without_an_answer(self, api, client, kind, count):
        api.sandbox.fault(kind, **({"seconds": SECONDS} if kind == "silent" else {}))
        client.ask(body=single())
        assert (client.pieces, client.end, taken(api)) == ([], "closed", count)

    @pytest.mark.parametrize(
        ("kind", "end", "complete"),
        [
            ("trickle", "complete", True),
            ("trickle_head", "complete", True),
            ("late_answer", "complete", True),
            ("half_answer", "closed", False),
            ("reset_answer", "reset", False),
            ("drop_answer", "closed", False),
            ("silent", "closed", False),
        ],
    )
    def test_answers_to_queries_break_in_the_same_ways(self, api, client, kind, end, complete):
        client.ask(body=single())
        seconds = {"seconds": SECONDS} if "seconds" in KINDS[kind].options else {}
        add_fault(api, kind=kind, paths=["reports"], **seconds)
        client.ask("/api/dr/external/e-1/simple")
        assert (client.end, client.body.endswith(b"}")) == (end, complete)


class TestForgottenConnections:
    def test_connection_that_was_idle_is_reset(self, api, client, connect):
        add_fault(api, kind="reset_request", idle=IDLE, count=None)
        assert client.ask(body=single()).status == 200
        time.sleep(IDLE * 1.2)
        client.ask(body=single())
        assert (client.pieces, client.end) == ([], "reset")
        assert connect(api).ask(body=single()).status == 200
        assert taken(api) == len(api.sandbox.requests) == 2

    def test_connection_in_use_is_not_reset(self, api, client):
        add_fault(api, kind="reset_request", idle=IDLE, count=None)
        for _ in range(4):
            time.sleep(IDLE / 3)
            assert client.ask(body=single()).status == 200

    def test_connection_that_was_idle_never_answers(self, api, client):
        add_fault(api, kind="silent_request", idle=IDLE, seconds=30)
        assert client.ask(body=single()).status == 200
        time.sleep(IDLE * 1.2)
        client.socket.settimeout(SECONDS)
        with pytest.raises(TimeoutError):
            client.ask(body=single(extra_id="e-2"))
        assert [taken(api), len(api.sandbox.requests)] == [1, 1]

    def test_connection_is_idle_from_its_beginning(self, api, client):
        add_fault(api, kind="reset_request", idle=SECONDS)
        time.sleep(SECONDS)
        assert client.ask(body=single()).end == "reset"

    def test_long_body_is_not_read(self, api, client):
        add_fault(api, kind="reset_request")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.send(body=single(note="a" * 50_000_000))


class TestQuestionsAboutTakenMessages:
    @pytest.mark.parametrize("form", ["simple", "advanced"])
    def test_late_report_is_unknown_at_first(self, start, connect, now, form):
        api = start(clock=lambda: now[0])
        client = connect(api)
        add_fault(api, kind="late_report", seconds=60)
        message_id = client.ask(body=single()).json["message_id"]
        paths = [f"/api/dr/{message_id}/{form}", f"/api/dr/external/e-1/{form}"]
        assert [client.ask(path).status for path in paths] == [404, 404]
        now[0] += 61
        assert [client.ask(path).status for path in paths] == [200, 200]

    def test_message_that_is_never_found_was_taken_and_is_reported(self, start, connect, now, receiver):
        api = start(clock=lambda: now[0])
        client = connect(api)
        add_fault(api, kind="never_found")
        assert client.ask(body=single(callback_url=receiver.url)).status == 200
        now[0] += 10**9
        assert len(receiver.wait_for(1)) == 1
        assert client.ask("/api/dr/external/e-1/simple").status == 404

    def test_failing_report_is_an_error_every_time_and_other_messages_are_found(self, api, client):
        add_fault(api, kind="failing_report")
        client.ask(body=single())
        client.ask(body=single(extra_id="e-2"))
        assert [client.ask("/api/dr/external/e-1/simple").status for _ in range(3)] == [500, 500, 500]
        assert client.ask("/api/dr/external/e-2/simple").status == 200

    def test_hidden_messages_are_not_in_the_status_of_their_campaign(self, api, client):
        job_id = client.ask("/broadcast", broadcast("00", "82", "01")).json["job_id"]
        messages = client.ask(f"/status/{job_id}").json["messages"]
        assert [message["extra_id"] for message in messages] == ["e-0", "e-2"]


class TestJobsInParts:
    def test_second_half_becomes_known_and_is_sent_later(self, start, connect, now, receiver):
        api = start(clock=lambda: now[0])
        client = connect(api)
        add_fault(api, kind="parts", seconds=60)
        body = broadcast("00", "01", "02", callback_url=receiver.url)
        job_id = client.ask("/broadcast", body).json["job_id"]

        now[0] += 59
        receiver.wait_for(2)
        assert known(client, job_id) == ["e-0", "e-1"]
        assert client.ask("/api/dr/external/e-2/simple").status == 404

        now[0] += 2
        assert [report["extra_id"] for report in receiver.wait_for(3)] == ["e-0", "e-1", "e-2"]
        assert known(client, job_id) == ["e-0", "e-1", "e-2"]
        assert client.ask("/api/dr/external/e-2/simple").status == 200

    def test_sync_answer_mentions_the_first_half_only(self, api, client):
        add_fault(api, kind="parts", seconds=60)
        messages = client.ask("/broadcast/sync", broadcast("00", "01", "02")).json["messages"]
        assert [message["extra_id"] for message in messages] == ["e-0", "e-1"]
        assert taken(api) == 3


def known(client, job_id):
    return [message["extra_id"] for message in client.ask(f"/status/{job_id}").json["messages"]]


class TestUnknownIds:
    ANSWERS = {
        "404": (404, ""),
        "404-json": (404, "application/json"),
        "404-page": (404, "text/html; charset=utf-8"),
        "200-empty": (200, ""),
        "200-error": (200, "application/json"),
        "400-error": (400, "application/json"),
    }
    URLS = (
        "/api/dr/external/nobody/simple",
        "/api/dr/nobody/advanced",
        "/status/nobody",
        "/api/dr/external/e-1/simple",
    )

    @pytest.mark.parametrize("how", ANSWERS)
    def test_answer_is_chosen_by_a_control_call(self, api, client, how):
        add_fault(api, kind="never_found")
        client.ask(body=single())
        assert control(api, "POST", "unknown_ids", {"answer": how}).status_code == 200
        for url in self.URLS:
            client.ask(url)
            assert (client.status, client.headers.get("Content-Type", "")) == self.ANSWERS[how]
            assert (b"error_code" in client.body) == ("json" in how or "error" in how)

    def test_answer_is_chosen_by_a_setting_which_a_reset_restores(self, start, connect):
        api = start(unknown_id="400-error")
        client = connect(api)
        assert client.ask(self.URLS[0]).json["error_code"] == 99002
        api.sandbox.answer_unknown_ids("200-empty")
        assert client.ask(self.URLS[0]).status == 200
        api.sandbox.reset()
        assert client.ask(self.URLS[0]).status == 400

    @pytest.mark.parametrize("json", [{"answer": "500"}, {}, ["404"]])
    def test_other_answers_are_refused(self, api, json):
        assert control(api, "POST", "unknown_ids", json).status_code == 400

    def test_sandbox_with_another_setting_does_not_start(self):
        with pytest.raises(ValueError, match="404-page"):
            Sandbox(unknown_id="500").start()

    def test_wrong_reports_url_answers_every_question_with_a_page(self, api, client):
        client.ask(body=single())
        add_fault(api, kind="page", status=404, paths=["reports"], count=None)
        for url in ("/api/dr/external/e-1/simple", "/api/dr/external/nobody/simple"):
            client.ask(url)
            assert (client.status, client.body[:6]) == (404, b"<html>")


class TestWhichRequestsAreHit:
    REQUESTS = {
        "single": ("", single()),
        "bulk": ("/broadcast", broadcast("00")),
        "status": ("/status/nobody", None),
        "reports": ("/api/dr/external/nobody/simple", None),
    }

    @pytest.mark.parametrize("path", PATHS)
    def test_only_the_given_path_fails(self, api, client, path):
        add_fault(api, kind="down", paths=path, count=None)
        hit = [name for name, request in self.REQUESTS.items() if client.ask(*request).status == 503]
        assert hit == [path]

    def test_posts_fail_when_no_path_is_given(self, api, client):
        add_fault(api, kind="down", count=None)
        hit = [name for name, request in self.REQUESTS.items() if client.ask(*request).status == 503]
        assert hit == ["single", "bulk"]

    def test_bulk_host_is_down_while_single_messages_are_taken(self, api, client):
        add_fault(api, kind="down", paths=["bulk", "status"], count=None)
        found = [client.ask(*self.REQUESTS[name]).status for name in ("bulk", "status", "single")]
        assert found == [503, 503, 200]

    def test_count_is_over_after_so_many(self, api, client):
        add_fault(api, kind="down", count=2)
        assert [client.ask(body=single()).status for _ in range(3)] == [503, 503, 200]

    def test_fault_for_no_request_only_says_how_many_are_still_to_be_hit(self, api, client):
        add_fault(api, kind="down", count=2)
        client.ask(body=single())
        assert control(api, "POST", "faults", {"kind": "status", "count": 0}).json() == {"faults": 1}
        assert client.ask(body=single()).status == 503
        assert client.ask(body=single()).status == 200

    def test_queries_beyond_the_limit_of_a_second_are_429(self, start, connect, now):
        api = start(clock=lambda: now[0])
        client = connect(api)
        client.ask(body=single())
        add_fault(api, kind="status", status=429, paths=["reports"], count=None, per_second=3)
        question = "/api/dr/external/e-1/simple"
        assert [client.ask(question).status for _ in range(5)] == [200, 200, 200, 429, 429]
        now[0] += 1
        assert client.ask(question).status == 200

    def test_share_of_the_queries_fails_and_the_seed_repeats_it(self, api, client):
        client.ask(body=single())

        def ask(seed):
            add_fault(api, kind="status", status=500, paths=["reports"], count=None, share=0.2, seed=seed)
            found = [client.ask("/api/dr/external/e-1/simple").status for _ in range(100)]
            control(api, "DELETE", "faults")
            return found

        first = ask(7)
        assert 10 <= first.count(500) <= 30
        assert first.count(200) == 100 - first.count(500)
        assert ask(7) == first != ask(8)

    def test_next_fault_is_for_what_the_first_lets_through(self, api, client):
        add_fault(api, kind="down", paths=["bulk"])
        add_fault(api, kind="status", status=504)
        assert client.ask(body=single()).status == 504
        assert client.ask(*self.REQUESTS["bulk"]).status == 503

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "fire"},
            {"kind": "down", "colour": "red"},
            {"kind": "down", "paths": ["moon"]},
            {"kind": "down", "paths": 7},
            {"kind": "down", "share": 2},
            {"kind": "down", "seconds": 5},
            {"kind": "late_answer", "taken": True},
            {"kind": "late_answer", "seconds": -1},
            {"kind": "down", "count": -1},
            {"kind": "status", "status": 99},
            {"kind": "page", "status": 102},
            {"kind": "status", "taken": "yes"},
            {"kind": "down", "idle": math.inf},
        ],
    )
    def test_fault_with_options_that_make_no_sense_is_refused(self, api, fault):
        url = f"{api.sandbox.origin}/_sandbox/faults"
        data = str(fault).replace("'", '"').replace("True", "true").replace("inf", "Infinity")
        assert requests.post(url, data=data, timeout=5).status_code == 400

    def test_every_kind_can_be_asked_for(self, api):
        for kind in KINDS:
            api.sandbox.fault(kind)
        assert control(api, "POST", "faults", {"kind": "down"}).json() == {"faults": len(KINDS) + 1}


class TestNumbers:
    # Status, how the answer ends, and how many messages are taken then.
    ANSWERS = {
        "60": (200, "complete", 1),
        "61": (200, "complete", 1),
        "62": (200, "complete", 1),
        "63": (200, "closed", 1),
        "64": (200, "reset", 1),
        "65": (200, "complete", 1),
        "66": (200, "complete", 1),
        "69": (102, "closed", 1),
        "70": (301, "complete", 1),
        "71": (303, "complete", 1),
        "72": (403, "complete", 1),
        "73": (404, "complete", 1),
        "74": (413, "complete", 0),
        "75": (502, "complete", 1),
        "76": (503, "complete", 1),
        "77": (503, "complete", 0),
        "78": (504, "complete", 1),
        "79": (429, "complete", 0),
        "80": (500, "complete", 1),
        "81": (200, "complete", 1),
        "82": (200, "complete", 1),
        "83": (200, "complete", 1),
        "84": (200, "complete", 1),
    }
    RETRY_AFTER = ("77", "79")
    PAGES = ("65", "70", "71", "72", "73", "74", "75", "76", "77", "78")

    @pytest.fixture
    def api(self, start):
        return start(fault_seconds=SECONDS)

    @pytest.mark.parametrize("digits", FAULT_OUTCOMES)
    def test_number_chooses_the_answer_to_a_single_message(self, api, client, digits):
        client.ask(body=single(digits))
        assert (client.status, client.end, taken(api)) == self.ANSWERS[digits]
        assert ("Retry-After" in client.headers) == (digits in self.RETRY_AFTER)
        assert (b"<html>" in client.body) == (digits in self.PAGES)

    @pytest.mark.parametrize("digits", ["60", "61", "62"])
    def test_slow_answers_take_the_seconds_of_the_setting(self, client, digits):
        assert client.ask(body=single(digits)).seconds >= SECONDS * 0.8

    @pytest.mark.parametrize("digits", FAULT_OUTCOMES)
    def test_first_recipient_chooses_the_answer_to_a_mass_request(self, api, client, digits):
        status, end, count = self.ANSWERS[digits]
        client.ask("/broadcast", broadcast(digits, "00"))
        assert (client.status, client.end, taken(api)) == (status, end, 2 * count)

    @pytest.mark.parametrize("digits", FAULT_OUTCOMES)
    def test_repeat_is_taken_and_answered_at_once(self, start, connect, digits):
        api = start(fault_seconds=30)
        first, second = connect(api), connect(api)
        first.send(body=single(digits))
        if digits == "62":
            wait_until_taken(api)
        else:
            first.socket.recv(1)
        second.ask(body=single(digits))
        assert (second.status, "message_id" in second.json) == (200, True)

    @pytest.mark.parametrize("digits", FAULT_OUTCOMES)
    def test_message_is_delivered_in_the_end(self, api, connect, receiver, digits):
        for _ in range(2):
            connect(api).ask(body=single(digits, callback_url=receiver.url))
        assert {report["status"] for report in receiver.wait_for(1)} == {2}

    @pytest.mark.parametrize(("digits", "statuses"), [("81", [404, 200]), ("82", [404, 404]), ("83", [500, 500])])
    def test_number_chooses_the_answers_to_queries(self, start, connect, now, digits, statuses):
        client = connect(start(clock=lambda: now[0]))
        client.ask("/broadcast", broadcast("00", digits))
        found = [client.ask("/api/dr/external/e-1/simple").status]
        now[0] += 31
        found.append(client.ask("/api/dr/external/e-1/simple").status)
        assert found == statuses
        assert client.ask("/api/dr/external/e-0/simple").status == 200

    def test_message_is_found_by_a_clock_that_is_set_back(self, start, connect, now):
        client = connect(start(clock=lambda: now[0]))
        client.ask(body=single("00"))
        now[0] -= 3600
        assert client.ask("/api/dr/external/e-1/simple").status == 200

    def test_84_lets_the_second_half_wait(self, start, connect, now):
        client = connect(start(clock=lambda: now[0]))
        job_id = client.ask("/broadcast", broadcast("84", "00", "01", "02")).json["job_id"]
        assert known(client, job_id) == ["e-0", "e-1"]
        now[0] += 31
        assert known(client, job_id) == ["e-0", "e-1", "e-2", "e-3"]

    def test_lost_answer_and_a_number_that_is_never_found_go_together(self, api, client, connect):
        api.sandbox.fault("drop_answer")
        assert client.ask(body=single("82")).end == "closed"
        assert taken(api) == 1
        assert connect(api).ask("/api/dr/external/e-1/simple").status == 404
