"""No secret and nothing personal in logs, exception texts, error pages and what error trackers collect."""

from __future__ import annotations

import base64
import json
import logging
import traceback

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from django_hyber import services
from django_hyber.conf import find_account_by_token, get_account, get_accounts
from django_hyber.management.commands import hyber_dispatch
from django_hyber.models import Batch, FormerOptOut, Message, Reply, Suppression, TestNumber, UnreadableCallback
from django_hyber.models import DeliveryReport as StoredReport
from django_hyber.privacy import PERSONAL_COLUMNS
from django_hyber.protocol import SMS, HyberClient, HyberError, parse_replies, parse_reports
from django_hyber.sending import single
from django_hyber.services import send_message
from django_hyber.signals import message_status_changed, reply_received
from tests.protocol import platforms
from tests.protocol.platforms import answering, await_hang_up
from tests.samples import report

LOGIN, PASSWORD, TOKEN = "login-of-the-shop", "pass-w0rd-of-the-shop", "current-token-0123456789"
NUMBER, TEXT = "380671234567", "Your one-time code is QZ47X"
BASIC = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, TOKEN, BASIC)
PERSONAL = (NUMBER, TEXT, "QZ47X")
CHANNELS = [SMS(text=TEXT, alpha_name="GMSU", ttl=300)]
QUOTE = json.dumps({"error_code": 9, "error_text": f"{PASSWORD} of tel{NUMBER}: {TEXT}"}).encode()
#: Bytes that a broken platform answers with; None: nothing, until the client hangs up.
ANSWERS = {
    **{
        f"{status} that quotes the request": b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b"
        % (status, len(QUOTE), QUOTE)
        for status in (200, 302, 400, 401, 403, 404, 413, 429, 500, 503)
    },
    "401": b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n\r\n{"error_text": "wrong login"} ',
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nsorry",
    "broken JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{broken]!",
    "nonsense": b"HTTP/9\r\n\r\n",
    "timeout": None,
}


def collected_from(error):
    """What an error tracker sends: texts, and the representation of each variable in the frames of our package."""
    while error is not None:
        yield "".join(traceback.format_exception_only(error))
        yield repr(error.args)
        for frame, _line in traceback.walk_tb(error.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                for name, value in frame.f_locals.items():
                    yield f"{frame.f_code.co_qualname}: {name} = {value!r}"
        error = error.__cause__ or error.__context__


def leaks(lines, words):
    return [line[:200] for line in lines if any(word in line for word in words)]


@pytest.fixture
def everything_logged(caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("django", "urllib3", "requests", "django_hyber"):
        caplog.set_level(logging.DEBUG, logger=name)

    def read():
        records = [record.getMessage() for record in caplog.records]
        for record in caplog.records:
            if record.exc_info:
                records += collected_from(record.exc_info[1])
        return records

    return read


@pytest.fixture(params=ANSWERS)
def broken_platform(request):
    answer = ANSWERS[request.param]
    behaviour = await_hang_up if answer is None else answering(answer)
    with platforms.accept(*[behaviour] * 5) as port:
        # What the platform wrote is stored, for those who may see it.
        yield f"http://127.0.0.1:{port}/{'quoting' if 'quotes' in request.param else '1234'}"


def account_of(url, **changes):
    names = {"API_URL": url, "BULK_URL": url, "REPORTS_URL": url, "LOGIN": LOGIN, "PASSWORD": PASSWORD}
    other = {"CLIENT_ID": "1234", "CALLBACK_BASE_URL": "https://shop.example", "CALLBACK_TOKENS": [TOKEN]}
    return names | other | {"CONNECT_TIMEOUT": 1, "READ_TIMEOUT": 1, "LEASE": 60} | changes


def test_error_of_the_client_has_no_secrets(broken_platform, everything_logged):
    client = HyberClient(
        client_id="1234", login=LOGIN, password=PASSWORD, api_url=broken_platform, connect_timeout=1, read_timeout=1
    )
    with pytest.raises(HyberError) as caught:
        client.send_single({"phone_number": int(NUMBER), "channel_options": {"sms": {"text": TEXT}}})

    assert not leaks([*collected_from(caught.value), *everything_logged()], (*SECRETS, *PERSONAL))
    assert not leaks([str(caught.value), repr(caught.value), repr(client)], (*SECRETS, *PERSONAL))


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example", "", "http://[", "http://shop.example:port"])
def test_address_that_cannot_be_used_costs_no_secret(url, everything_logged):
    with pytest.raises((ValueError, HyberError)) as caught:
        HyberClient(client_id="1234", login=LOGIN, password=PASSWORD, api_url=url).send_single({})

    assert not leaks([*collected_from(caught.value), *everything_logged()], SECRETS)


@pytest.mark.django_db(transaction=True)
def test_message_that_fails_leaves_nothing_in_the_logs(broken_platform, settings, everything_logged):
    settings.HYBER = {"default": account_of(broken_platform)}
    send_message(f"+{NUMBER}", CHANNELS)

    assert Message.objects.exclude(error_text="").exists()
    assert not leaks(everything_logged(), (*SECRETS, *PERSONAL))
    if not broken_platform.endswith("/quoting"):
        assert not leaks(Message.objects.values_list("error_text", flat=True), (*SECRETS, *PERSONAL))


@pytest.mark.parametrize(
    "read", [get_account, get_accounts, lambda: find_account_by_token("x"), lambda: get_account("promo")]
)
@pytest.mark.parametrize(
    "hyber",
    [
        {"default": account_of("https://shop.example", LEASE=0)},
        {"default": account_of("https://shop.example", READ_TIMEOUT=PASSWORD)},
        {"default": account_of("https://shop.example", PASSWRD=PASSWORD)},
        {"default": account_of("https://shop.example", BATCH_SIZE=[PASSWORD])},
        {"default": account_of(f"https://{LOGIN}:{PASSWORD}@shop.example")},
        account_of("https://shop.example"),
    ],
)
def test_setting_that_cannot_be_read_is_told_without_secrets(settings, hyber, read):
    settings.HYBER = hyber
    with pytest.raises(ImproperlyConfigured) as caught:
        read()

    assert not leaks(collected_from(caught.value), SECRETS)


@pytest.mark.parametrize("changes", [{"LEASE": 0}, {"PASSWRD": PASSWORD}, {"CALLBACK_TOKENS": TOKEN}])
def test_error_page_about_a_setting_has_no_secrets(settings, changes):
    settings.HYBER = {"default": account_of("https://shop.example", **changes)}
    with pytest.raises(ImproperlyConfigured) as caught:
        get_account()

    # Without the frame of this test.
    trace = caught.tb.tb_next
    reporter = ExceptionReporter(RequestFactory().get("/"), caught.type, caught.value, trace)
    assert not leaks([reporter.get_traceback_html(), reporter.get_traceback_text()], SECRETS)


@pytest.mark.django_db
def test_callback_that_fails_is_logged_without_token_numbers_and_texts(
    settings, client, monkeypatch, everything_logged
):
    settings.HYBER = {"default": account_of("https://shop.example")}
    monkeypatch.setattr(services, "apply_delivery_reports", _out_of_order)
    monkeypatch.setattr(services, "apply_replies", _out_of_order)
    body = [{"number": NUMBER, "text": TEXT, "extra_id": "own-1", "status": 2}]
    for kind in ("reports", "replies"):
        answer = client.post(f"/hyber/{TOKEN}/{kind}/", json.dumps(body), content_type="application/json")
        assert answer.status_code == 500

    logged = everything_logged()
    assert any("could not be stored" in line for line in logged)
    assert any("_out_of_order" in line for line in logged)
    assert not leaks(logged, (*SECRETS, *PERSONAL))


def _out_of_order(items, **options):
    raise RuntimeError("The database is out of order.")


@pytest.mark.django_db(transaction=True)
def test_request_that_fails_on_our_side_is_logged_without_numbers_and_texts(settings, monkeypatch, everything_logged):
    settings.HYBER = {"default": account_of("https://shop.example")}
    monkeypatch.setattr(single, "single_body", _no_body)
    message = send_message(f"+{NUMBER}", CHANNELS)
    message.refresh_from_db()

    logged = everything_logged()
    assert message.status == Message.Status.QUEUED
    assert any("A request failed on our side" in line and "_no_body" in line for line in logged)
    assert not leaks(logged, (*SECRETS, *PERSONAL))


def _no_body(**options):
    raise RuntimeError(f"Nothing can be made of {options}")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_token_of_a_callback_is_in_no_log(settings, client, everything_logged, method):
    settings.HYBER = {"default": account_of("https://shop.example")}
    for token in (TOKEN, TOKEN + "-wrong"):
        for body in ("[]", "{broken", "1"):
            client.generic(method, f"/hyber/{token}/reports/", body, content_type="application/json")

    assert not leaks(everything_logged(), (TOKEN,))


@pytest.mark.django_db
def test_callback_beside_an_account_that_cannot_be_read_is_logged_without_tokens(settings, client, everything_logged):
    settings.HYBER = {"default": account_of("https://shop.example", LEASE=0)}
    answer = client.post("/hyber/another-token-0123456789/reports/", "[]", content_type="application/json")

    assert answer.status_code == 500
    assert not leaks(everything_logged(), (*SECRETS, "another-token-0123456789"))


@pytest.mark.django_db
def test_sweep_that_fails_is_logged_without_numbers_and_texts(monkeypatch, everything_logged):
    def fail():
        row = {"phone_number": NUMBER, "text": TEXT}
        raise ValueError(f"This row cannot be stored: {row}")

    monkeypatch.setattr(hyber_dispatch, "dispatch", fail)
    hyber_dispatch.Command()._sweep_or_log()

    logged = everything_logged()
    assert any("The sweep failed" in line and "in fail" in line for line in logged)
    assert not leaks(logged, PERSONAL)


@pytest.mark.django_db(transaction=True)
def test_receiver_that_fails_is_logged_without_numbers_and_texts(everything_logged):
    def fail(sender, **values):
        raise ZeroDivisionError

    message = Message.objects.create(phone_number=NUMBER, extra_id="own-1", status="accepted", variables={"text": TEXT})
    signals = (message_status_changed, reply_received)
    for signal in signals:
        signal.connect(fail)
    try:
        services.apply_delivery_reports([report(message)])
        services.apply_replies([{"phone": NUMBER, "text_from_subscriber": TEXT, "channel": "viber"}])
    finally:
        for signal in signals:
            signal.disconnect(fail)

    logged = everything_logged()
    assert sum("ZeroDivisionError" in line for line in logged) >= len(signals)
    assert not leaks(logged, PERSONAL)


@pytest.mark.django_db
def test_representations_have_no_numbers_and_texts():
    rows = [
        Message(phone_number=NUMBER, extra_id="own-1"),
        StoredReport(phone_number=NUMBER, raw={"number": NUMBER}),
        Reply(phone_number=NUMBER, text=TEXT),
        Suppression(phone_number=NUMBER, reason=TEXT),
        FormerOptOut(phone_number=NUMBER, reason=TEXT),
        TestNumber(phone_number=NUMBER, name=TEXT),
        UnreadableCallback(body=TEXT, reason=NUMBER),
    ]
    assert {type(row) for row in rows} == set(PERSONAL_COLUMNS) - {Batch}
    parsed = [
        parse_reports([report(None, number=NUMBER, error_text=TEXT)]),
        parse_replies([{"phone": NUMBER, "text_from_subscriber": TEXT, "channel": "viber"}]),
    ]

    assert not leaks(map(repr, [*rows, *parsed]), PERSONAL)


def test_representations_have_no_secrets(settings):
    settings.HYBER = {"default": account_of("https://shop.example")}
    client = HyberClient(client_id="1234", login=LOGIN, password=PASSWORD)

    assert not leaks([repr(get_account()), repr(client), repr(vars(client))], SECRETS)
