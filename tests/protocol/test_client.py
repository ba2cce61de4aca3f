"""What goes out, and what comes of each kind of answer."""

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata

import pytest
import requests
from requests.adapters import HTTPAdapter

from django_hyber.protocol import (
    SMS,
    APIError,
    AuthenticationError,
    HyberClient,
    NotTaken,
    OutcomeUnknown,
    ReportNotFound,
    RequestTooLarge,
    TooManyRequests,
    UnreadableResponse,
    single_body,
)
from django_hyber.protocol.client import encode_body
from tests.protocol import vectors
from tests.protocol.conftest import LOGIN, PASSWORD

BODY = single_body(phone_number="380671234567", channels=[SMS(text="Привіт", alpha_name="GMSU", ttl=300)])
OURS = {"error_code": 36024, "error_text": "Phone number incorrect"}


def real_client(**options):
    return HyberClient(client_id="1234", login="a", password="b", **options)


class TestAddresses:
    def test_a_site_is_part_of_the_hosts(self):
        client = real_client(site="kyiv")
        assert client.api_url == "https://api-v2-kyiv.hyber.im/1234"
        assert client.bulk_url == "https://proxy-kyiv.hyber.im/1234"
        assert client.reports_url == "https://dr-v2-kyiv.hyber.im/1234"

    def test_without_a_site_its_dash_goes_too(self):
        client = real_client()
        assert client.api_url == "https://api-v2.hyber.im/1234"
        assert client.bulk_url == "https://proxy.hyber.im/1234"
        assert client.reports_url == "https://dr-v2.hyber.im/1234"

    def test_an_address_given_in_full_is_used_as_it_is(self):
        urls = {
            "api_url": "https://sms.example/send/",
            "bulk_url": "http://b.example/X/",
            "reports_url": "http://r.example/X/",
        }
        client = real_client(site="kyiv", **urls)
        assert client.api_url == "https://sms.example/send/"
        assert (client.bulk_url, client.reports_url) == ("http://b.example/X", "http://r.example/X")

    def test_the_client_id_is_one_part_of_the_path(self):
        client = HyberClient(client_id="a/b ї?", login="a", password="b")
        assert client.api_url == "https://api-v2.hyber.im/a%2Fb%20%D1%97%3F"

    def test_other_schemes_are_refused(self):
        with pytest.raises(ValueError, match="https://"):
            real_client(api_url="ftp://sms.example")

    @pytest.mark.parametrize(
        ("method", "path", "answer"),
        [
            ("send_single", "/1234", "seed_response_ok"),
            ("send_batch", "/1234/batch", "doc_job_response"),
            ("send_batch_sync", "/1234/batch/sync", "doc_sync_response"),
            ("send_broadcast", "/1234/broadcast", "doc_job_response"),
            ("send_broadcast_sync", "/1234/broadcast/sync", "doc_sync_response"),
        ],
    )
    def test_each_kind_of_request_goes_to_its_address(self, platform, client, method, path, answer):
        platform.body = vectors.load(answer)
        result = getattr(client, method)(BODY)
        [request] = platform.requests
        assert (request.method, request.path, request.json) == ("POST", path, BODY)
        assert result in platform.body.values() or len(result) == 2


class TestWhatGoesOut:
    @pytest.fixture
    def send(self, platform, client):
        def send(body):
            platform.body = {"message_id": "m"}
            client.send_single(body)
            return platform.requests[-1]

        return send

    def test_headers(self, send):
        headers = send(BODY).headers
        assert headers["Content-Type"] == "application/json"
        assert headers["Accept"] == "application/json"
        assert headers["User-Agent"] == f"django-hyber/{metadata.version('django-hyber')}"

    def test_credentials_are_basic_auth_in_utf8(self, send):
        token = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        assert send(BODY).headers["Authorization"] == f"Basic {token}"

    def test_credentials_of_a_netrc_file_do_not_replace_ours(self, send, tmp_path, monkeypatch):
        file = tmp_path / "netrc"
        file.write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(file))
        assert base64.b64decode(send(BODY).headers["Authorization"][6:]).decode() == f"{LOGIN}:{PASSWORD}"

    def test_json_is_compact_and_not_escaped(self, send):
        body = send({"text": "Привіт 😀", "list": [1, 2]}).body
        assert body.decode() == '{"text":"Привіт 😀","list":[1,2]}'

    def test_a_lone_surrogate_is_escaped_and_the_rest_is_not(self, send):
        body = send({"text": "Ж\\ \ud83d \\\udead"}).body
        assert "Ж" in body.decode()
        assert json.loads(body) == {"text": "Ж\\ \ud83d \\\udead"}

    def test_a_body_that_is_encoded_already_goes_as_it_is(self, send):
        assert send(b'{"a": 1}').body == b'{"a": 1}'

    @pytest.mark.parametrize("value", [float("nan"), {1}, object()])
    def test_what_json_cannot_say_is_an_error_before_anything_is_sent(self, send, platform, value):
        with pytest.raises((TypeError, ValueError)):
            send({"text": value})
        assert platform.requests == []

    def test_connections_are_kept_for_the_next_request(self, send):
        assert send(BODY).client == send(BODY).client


def test_a_session_of_the_caller_brings_its_headers_and_is_closed(platform, make_client):
    closed = []

    class Adapter(HTTPAdapter):
        def close(self):
            closed.append(True)
            super().close()

    session = requests.Session()
    session.mount("http://", Adapter())
    session.headers["X-Of-The-Caller"] = "yes"
    platform.body = {"message_id": "m"}
    with make_client(platform.url, session=session) as client:
        client.send_single(BODY)
    assert platform.requests[0].headers["X-Of-The-Caller"] == "yes"
    assert closed


def test_a_session_of_the_caller_does_not_get_round_the_last_check(platform, make_client):
    session = requests.Session()
    session.mount(platform.url, HTTPAdapter())
    with pytest.raises(ZeroDivisionError):
        make_client(platform.url, session=session).send_single(BODY, before_write=lambda: 1 / 0)
    assert platform.requests == []


class TestAnswersToPosts:
    @pytest.fixture
    def send(self, platform, client):
        def send(status, body=b"", **headers):
            platform.status, platform.body = status, body
            platform.headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.send_single(BODY)

        return send

    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_success_is_the_expected_key_at_any_2xx(self, send, status):
        assert send(status, {"message_id": "m", "unknown": 1}) == "m"

    @pytest.mark.parametrize("status", [200, 202, 400, 405, 409, 422])
    def test_an_error_of_the_platform_is_a_refusal(self, send, status):
        with pytest.raises(APIError) as caught:
            send(status, OURS)
        error = caught.value
        assert type(error) is APIError
        assert (error.http_status, error.error_code, error.error_text) == (status, 36024, "Phone number incorrect")

    @pytest.mark.parametrize("status", [102, 302, 404, 408, 500, 502, 503, 504])
    def test_an_error_of_the_platform_at_a_status_that_proves_nothing_is_kept(self, send, status):
        with pytest.raises(UnreadableResponse) as caught:
            send(status, OURS)
        error = caught.value
        kept = None if status == 102 else 36024  # an interim answer has no body
        assert (error.http_status, error.error_code) == (status, kept)
        assert kept is None or "error 36024): Phone number incorrect" in error.explanation

    @pytest.mark.parametrize("body", [b"", b"<html>", OURS])
    def test_too_many_requests_can_be_repeated_when_the_platform_wishes(self, send, body):
        with pytest.raises(TooManyRequests) as caught:
            send(429, body, Retry_After="7")
        error = caught.value
        assert isinstance(error, NotTaken)
        assert (error.retry_after, error.reason) == (7.0, "HTTP 429")
        assert error.error_code == (36024 if body == OURS else None)

    @pytest.mark.parametrize("code", [0, "0", "", None, False])
    def test_code_zero_is_no_error(self, send, code):
        assert send(200, {"message_id": "m", "error_code": code, "error_text": ""}) == "m"

    def test_number_too_long_for_python_does_not_make_an_answer_unreadable(self, send):
        assert send(200, b'{"message_id": "m", "cost": ' + b"9" * 5_000 + b"}") == "m"

    @pytest.mark.parametrize("status", [200, 400, 401, 413, 429, 503])
    def test_an_error_beside_a_message_id_refuses_nothing(self, send, status):
        with pytest.raises(OutcomeUnknown):
            send(status, {"message_id": "m", **OURS})

    @pytest.mark.parametrize("status", [200, 400, 403, 405, 409, 410, 421, 422, 500])
    @pytest.mark.parametrize("changes", [{"error_text": None}, {"error_text": " "}, {"error_code": "E1"}])
    def test_error_that_is_not_in_the_form_of_the_platform_refuses_nobody(self, send, status, changes):
        with pytest.raises(UnreadableResponse) as caught:
            send(status, OURS | changes)
        assert (caught.value.http_status, caught.value.error_code) == (status, None)

    @pytest.mark.parametrize("code", [36024, "36024", -7])
    def test_code_of_the_platform_may_be_written_as_a_text(self, send, code):
        with pytest.raises(APIError) as caught:
            send(400, OURS | {"error_code": code})
        assert caught.value.error_code == int(code)

    @pytest.mark.parametrize(
        ("status", "body"), [(401, b""), (401, b"<html>"), (401, OURS), (401, {"error_text": "no"}), (403, OURS)]
    )
    def test_wrong_credentials(self, send, status, body):
        with pytest.raises(AuthenticationError) as caught:
            send(status, body)
        assert caught.value.http_status == status

    @pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", {"error_text": "no"}])
    def test_403_of_a_firewall_neither_refuses_nor_blames_the_password(self, send, body):
        with pytest.raises(UnreadableResponse, match=r"firewalls and proxies.*IP address"):
            send(403, body)

    @pytest.mark.parametrize("body", [b"", b"<html>too much\x00</html>", OURS])
    def test_413_says_that_the_request_is_too_large_and_who_says_so(self, send, body):
        said = "split it" if body == OURS else "not from the platform"
        with pytest.raises(RequestTooLarge, match=said) as caught:
            send(413, body)
        error = caught.value
        assert (error.http_status, error.error_code) == (413, 36024 if body == OURS else None)
        assert error.is_from_platform == (body == OURS)
        assert "html" not in str(error)
        assert "\x00" not in error.body

    @pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 422])
    @pytest.mark.parametrize("body", [b"", b"<html>", {"message": "no"}, {"error_code": 0}, {"error_code": {}}])
    def test_4xx_that_is_not_the_platforms_own_refuses_nobody(self, send, status, body):
        with pytest.raises(UnreadableResponse) as caught:
            send(status, body)
        assert caught.value.http_status == status
        assert status != 404 or "this URL does not seem to exist" in str(caught.value)

    def test_a_text_of_theirs_without_a_code_is_shown(self, send):
        with pytest.raises(UnreadableResponse) as caught:
            send(400, {"error_text": "Bad request indeed"})
        assert "Bad request indeed" in caught.value.explanation

    def test_the_kept_body_has_a_limit(self, send):
        with pytest.raises(APIError) as caught:
            send(400, OURS | {"details": "x" * 100_000})
        assert len(caught.value.body) == 2000

    @pytest.mark.parametrize("body", [b"", b"<html>busy</html>", {"message": "busy"}, OURS, []])
    def test_503_that_asks_to_come_back_took_nothing(self, send, body):
        with pytest.raises(NotTaken) as caught:
            send(503, body, Retry_After="7")
        assert caught.value.retry_after == 7.0
        assert "503" in str(caught.value)

    @pytest.mark.parametrize("body", [b"", b"<html>upstream connect error</html>"])
    def test_503_that_does_not_may_have_lost_an_answer(self, send, body):
        with pytest.raises(UnreadableResponse) as caught:
            send(503, body)
        assert caught.value.http_status == 503

    def test_retry_after_may_be_a_date(self, send):
        with pytest.raises(NotTaken) as caught:
            send(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
        assert 60 < caught.value.retry_after <= 90

    def test_a_date_in_the_past_means_now(self, send):
        with pytest.raises(NotTaken) as caught:
            send(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
        assert caught.value.retry_after == 0.0

    @pytest.mark.parametrize("value", ["", "soon", "-5", "9" * 400, "inf"])
    def test_another_retry_after_is_none(self, send, value):
        with pytest.raises(NotTaken) as caught:
            send(429, Retry_After=value)
        assert caught.value.retry_after is None
        with pytest.raises(UnreadableResponse):
            send(503, Retry_After=value)

    @pytest.mark.parametrize("status", [408, 500, 502, 504, 599])
    @pytest.mark.parametrize("body", [b"", b"<html>", {"message": "oops"}])
    def test_other_5xx_leave_the_outcome_unknown(self, send, status, body):
        with pytest.raises(UnreadableResponse) as caught:
            send(status, body)
        assert caught.value.http_status == status

    @pytest.mark.parametrize(
        "body",
        [b"", b"OK", b"{", b"\xff\xfe\xff", b"[" * 100_000, b"1" * 5000, {}, [], None, "m", {"message_id": None}],
    )
    @pytest.mark.parametrize("status", [200, 202])
    def test_a_success_that_cannot_be_read_leaves_the_outcome_unknown(self, send, status, body):
        with pytest.raises(UnreadableResponse) as caught:
            send(status, body)
        assert caught.value.http_status == status
        assert isinstance(caught.value, OutcomeUnknown)

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
    def test_redirects_are_not_followed(self, send, platform, status):
        with pytest.raises(UnreadableResponse, match="Check the URL") as caught:
            send(status, Location=f"{platform.url}/elsewhere")
        assert caught.value.http_status == status
        assert len(platform.requests) == 1

    def test_the_other_kinds_of_request_need_their_own_keys(self, platform, client):
        platform.status, platform.body = 202, {"message_id": "m"}
        for method in (client.send_batch, client.send_batch_sync, client.send_broadcast, client.send_broadcast_sync):
            with pytest.raises(UnreadableResponse) as caught:
                method({})
            assert caught.value.http_status == 202


class TestReports:
    @pytest.mark.parametrize(
        ("arguments", "path"),
        [
            ({"message_id": "m-1"}, "/1234/api/dr/m-1/simple"),
            ({"message_id": "m-1", "advanced": True}, "/1234/api/dr/m-1/advanced"),
            ({"message_id": "m/1 ?#%ї"}, "/1234/api/dr/m%2F1%20%3F%23%25%D1%97/simple"),
            ({"extra_id": "AD-6640"}, "/1234/api/dr/external/AD-6640/simple"),
            ({"extra_id": "a/b ?#%ї", "advanced": True}, "/1234/api/dr/external/a%2Fb%20%3F%23%25%D1%97/advanced"),
        ],
    )
    def test_addresses(self, platform, client, arguments, path):
        platform.body = vectors.load("doc_dr_simple")
        assert client.fetch_report(**arguments) == platform.body
        [request] = platform.requests
        assert (request.method, request.path, request.body) == ("GET", path, b"")
        assert request.headers["Authorization"].startswith("Basic ")
        assert "Content-Type" not in request.headers

    @pytest.mark.parametrize("arguments", [{}, {"message_id": "a", "extra_id": "b"}, {"extra_id": ""}])
    def test_exactly_one_id_is_queried(self, client, arguments):
        with pytest.raises(ValueError, match="either"):
            client.fetch_report(**arguments)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, b""),
            (404, b"<html>"),
            (404, OURS),
            (200, b""),
            (200, b" \n"),
            (204, b""),
            (200, {}),
            (200, []),
            (200, None),
            (200, OURS),
            (400, OURS),
            (413, OURS),
        ],
    )
    def test_ways_to_say_that_there_is_no_report(self, platform, client, status, body):
        platform.status, platform.body = status, body
        with pytest.raises(ReportNotFound) as caught:
            client.fetch_report(extra_id="a")
        assert caught.value.answer == (status, 36024 if body == OURS else None)

    def test_answers_about_two_ids_can_be_compared(self, platform, client):
        found = []
        for body in (OURS, {"error_code": "E1"}, {"error_code": "36024"}, {"error_code": "E2"}, b"<html>"):
            platform.status, platform.body = 404, body
            with pytest.raises(ReportNotFound) as caught:
                client.fetch_report(extra_id="a")
            found.append(caught.value.answer)
        assert found == [(404, 36024), (404, "E1"), (404, 36024), (404, "E2"), (404, None)]

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (401, OURS, AuthenticationError),
            (403, OURS, AuthenticationError),
            (403, b"<html>", UnreadableResponse),
            (400, b"", UnreadableResponse),
            (405, b"", UnreadableResponse),
            (302, b"", UnreadableResponse),
            (408, OURS, UnreadableResponse),
            (429, b"", TooManyRequests),
            (429, OURS, TooManyRequests),
            (503, b"", NotTaken),
            (503, OURS, NotTaken),
            (500, OURS, UnreadableResponse),
            (500, b"", UnreadableResponse),
            (200, b"<html>", UnreadableResponse),
        ],
    )
    def test_trouble_is_not_an_answer_about_the_message(self, platform, client, status, body, error):
        platform.status, platform.body = status, body
        with pytest.raises(error):
            client.fetch_report(extra_id="a")

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_query_can_be_repeated_when_the_platform_wishes(self, platform, client, status):
        platform.status, platform.headers = status, {"Retry-After": "7"}
        with pytest.raises(NotTaken) as caught:
            client.fetch_report(extra_id="a")
        assert caught.value.retry_after == 7.0

    def test_a_campaign_status_gives_its_entries(self, platform, client):
        platform.body = vectors.load("doc_campaign_status")
        assert client.fetch_campaign_status("job/1") == platform.body["messages"]
        assert platform.requests[0].path == "/1234/status/job%2F1"

    def test_a_campaign_that_the_platform_does_not_know(self, platform, client):
        platform.status = 404
        with pytest.raises(ReportNotFound):
            client.fetch_campaign_status("job")

    def test_a_campaign_status_without_messages_is_unreadable(self, platform, client):
        platform.status, platform.body = 202, {"job_id": "a"}
        with pytest.raises(UnreadableResponse) as caught:
            client.fetch_campaign_status("job")
        assert caught.value.http_status == 202


@pytest.mark.parametrize(("method", "path"), [("check", "/1234"), ("check_bulk", "/1234/broadcast")])
class TestCheck:
    @pytest.mark.parametrize("status", [200, 404, 405, 500])
    def test_any_answer_shows_that_the_platform_is_there(self, platform, client, method, path, status):
        platform.status = status
        assert getattr(client, method)() == status
        [request] = platform.requests
        assert (request.method, request.path, request.body) == ("GET", path, b"")

    @pytest.mark.parametrize(("status", "body"), [(401, b""), (403, OURS)])
    def test_wrong_credentials_are_said_to_be_wrong(self, platform, client, method, path, status, body):
        platform.status, platform.body = status, body
        with pytest.raises(AuthenticationError):
            getattr(client, method)()

    def test_a_firewall_is_not_the_platform(self, platform, client, method, path):
        platform.status, platform.body = 403, b"<html>"
        with pytest.raises(UnreadableResponse, match="firewall"):
            getattr(client, method)()


def test_the_password_is_not_shown(client):
    assert "1234" in repr(client)
    assert LOGIN in repr(client)
    assert PASSWORD not in repr(client)


def test_encoding_speaks_utf8():
    assert encode_body({"a": "Ж"}) == '{"a":"Ж"}'.encode()
