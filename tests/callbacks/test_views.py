from __future__ import annotations

import gzip
import json
import sys
import time
import tracemalloc
from datetime import timedelta
from itertools import chain, repeat
from unittest.mock import DEFAULT, Mock

import pytest
from django.core.checks import run_checks
from django.db import DatabaseError
from django.http import HttpResponse
from django.urls import include, path, reverse
from django.utils import timezone

from django_hyber.callbacks import views
from django_hyber.callbacks.views import read_items
from django_hyber.models import CallbackQuota, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.protocol import read_json
from django_hyber.reports import quota
from django_hyber.signals import reply_received
from tests.conftest import OLD_TOKEN, TOKEN
from tests.samples import phone, report, sample

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message():
    return Message.objects.create(phone_number=phone(1), extra_id="own-1", status="accepted")


@pytest.fixture
def large_bodies(settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_MAX_BYTES": 25_000_000}}


urlpatterns = [
    path("", include("django_hyber.urls")),
    path("shop/news/", lambda request: HttpResponse("news")),
]


def post(client, body, *, kind="reports", token=TOKEN, content_type="application/json", **extra):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    url = reverse(f"django_hyber:{kind}", kwargs={"token": token})
    return client.post(url, body, content_type=content_type, **extra)


def status(message):
    message.refresh_from_db()
    return message.status


def test_report_is_applied(client, message):
    response = post(client, report(message))

    assert response.status_code == 200
    assert response.json() == {"received": 1, "stored": 1, "unreadable": 0}
    assert status(message) == "delivered"


def test_address_without_its_last_slash_is_taken_and_not_redirected(client, message):
    url = reverse("django_hyber:reports", kwargs={"token": TOKEN}).rstrip("/")

    assert client.post(url, json.dumps(report(message)), content_type="application/json").status_code == 200
    assert status(message) == "delivered"


def test_project_in_which_everything_takes_a_login_is_called_back_all_the_same(client, settings, message):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    assert post(client, report(message)).status_code == 200


def test_array_of_reports_is_applied(client, message):
    assert post(client, [report(message), report(None)]).json()["stored"] == 2
    assert status(message) == "delivered"


def test_vendor_sample_is_taken_as_printed(client):
    message = Message.objects.create(phone_number="380961111111", extra_id="AD-6640-7006", status="accepted")
    post(client, sample("doc_dr_callback_single"))

    assert status(message) == "delivered"
    assert message.channel == "sms"


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
def test_every_token_is_accepted_so_that_they_can_be_changed(client, message, token):
    assert post(client, report(message), token=token).status_code == 200


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "x", "%00", "тестовий-токен"])
def test_wrong_token_is_refused_and_stores_nothing(client, message, token):
    assert post(client, report(message), token=token).status_code == 403
    assert not DeliveryReport.objects.exists()
    assert status(message) == "accepted"


def test_report_for_an_account_that_cannot_be_read_is_our_trouble_and_may_come_again(client, settings, message):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_TOKENS": [TOKEN], "LEASE": 0}}
    client.raise_request_exception = False

    assert post(client, report(message)).status_code == 500


def test_without_tokens_nobody_is_let_in(client, settings, message):
    settings.HYBER = {"default": {"CLIENT_ID": "1", "CALLBACK_TOKENS": []}}

    assert post(client, report(message), token="any").status_code == 403


def test_token_tells_the_account(client, settings, message):
    settings.HYBER = {"default": {"CALLBACK_TOKENS": [TOKEN]}, "promo": {"CALLBACK_TOKENS": ["p" * 20]}}
    post(client, report(message), token="p" * 20)

    assert DeliveryReport.objects.get().account == "promo"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"not json", b'"text"', b"17", b"null", b"\xff\xfe", b"[" * 100_000, b"9" * 5_000],
)
def test_unusable_body_is_answered_400_and_kept(client, body):
    assert post(client, body).status_code == 400
    kept = UnreadableCallback.objects.get()
    assert kept.kind == "reports"
    assert kept.body == body.decode(errors="backslashreplace")


def test_vendor_sample_with_its_missing_quote_is_kept_whole(client):
    printed = json.dumps(sample("doc_dr_callback_single")).replace('"AD-6640', "AD-6640").encode()

    assert post(client, printed).status_code == 400
    assert UnreadableCallback.objects.get().body == printed.decode()


@pytest.mark.parametrize("kind", ["reports", "replies"])
def test_windows_1251_is_understood(client, kind):
    sent = json.dumps({"phone": phone(1), "text_from_subscriber": "СТОП"}, ensure_ascii=False).encode("cp1251")

    assert post(client, sent, kind=kind).status_code == 200
    assert Reply.objects.get().text == "СТОП"
    assert Suppression.objects.filter(phone_number=phone(1)).exists()


@pytest.mark.parametrize("damage", [b"\xed\xa0\xbd\xed\xb8\x80", b"\xf0\x9f", b"\xff", b"\x98"])
def test_damaged_bytes_in_one_reply_cost_no_other_its_opt_out(client, damage):
    texts = [b"ok " + damage, "СТОП".encode(), "Відпишіть мене".encode()]
    sender = b'{"phone": "%s", "text_from_subscriber": "%s"}'
    body = b"[%s]" % b",".join(sender % (phone(number).encode(), text) for number, text in enumerate(texts))

    assert post(client, body, kind="replies").json()["stored"] == 3
    assert sorted(Suppression.objects.values_list("phone_number", flat=True)) == sorted([phone(1), phone(2)])


@pytest.mark.parametrize("between", ["\n", "\r\n", "\t", "\x07"])
def test_line_break_in_the_text_of_hand_made_json_costs_no_opt_out(client, between):
    body = f'[{{"phone": "{phone(1)}", "text_from_subscriber": "СТОП{between}Дякую"}}]'.encode()

    assert post(client, body, kind="replies").status_code == 200
    assert Suppression.objects.filter(phone_number=phone(1)).exists()


@pytest.mark.parametrize("kind", ["reports", "replies"])
@pytest.mark.parametrize("name", ["number", "phone_number"])
def test_reply_that_names_its_number_like_a_report_is_taken_for_a_reply(client, kind, name):
    assert post(client, {name: phone(1), "text_from_subscriber": "СТОП"}, kind=kind).status_code == 200
    assert Reply.objects.get().phone_number == phone(1)
    assert Suppression.objects.filter(phone_number=phone(1)).exists()


def test_bytes_of_another_encoding_can_still_be_read(client):
    sent = b'[{"extra_id": "own-1", "error_text": "\x98\xcf\x00"}'

    assert post(client, sent).status_code == 400
    kept = UnreadableCallback.objects.get().body
    assert kept.encode("latin-1").decode("unicode_escape").encode("latin-1") == sent


@pytest.mark.parametrize("header", [{}, {"HTTP_CONTENT_ENCODING": "gzip"}])
def test_body_that_a_proxy_has_compressed_is_understood(client, message, header):
    stop = {"phone": phone(1), "text_from_subscriber": "СТОП"}

    assert post(client, gzip.compress(json.dumps([report(message), stop]).encode()), **header).status_code == 200
    assert status(message) == "delivered"
    assert Suppression.objects.filter(phone_number=phone(1)).exists()


def test_damaged_compressed_body_is_answered_400_and_kept(client):
    sent = gzip.compress(b"[" * 1_000)[:5]

    assert post(client, sent).status_code == 400
    assert UnreadableCallback.objects.get().body.encode("latin-1").decode("unicode_escape").encode("latin-1") == sent


def test_compressed_body_is_unpacked_up_to_the_limit_only(client, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_MAX_BYTES": 100_000}}
    sent = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    response = post(client, sent)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (response.status_code, len(sent) < 100_000, most < 5_000_000) == (413, True, True)


def test_escaped_slashes_are_no_reason_to_refuse(client, message):
    body = json.dumps(report(message) | {"link": "https://shop.example/"}).replace("/", "\\/").encode()

    assert post(client, body).status_code == 200
    assert status(message) == "delivered"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_content_type_and_accept_header_do_not_matter(client, message, content_type, accept):
    assert post(client, report(message), content_type=content_type, headers={"accept": accept}).status_code == 200
    assert status(message) == "delivered"


def test_unknown_ids_are_answered_200_and_kept(client):
    assert post(client, [report(None, extra_id=f"nobody-{number}") for number in range(500)]).status_code == 200
    assert DeliveryReport.objects.filter(message=None).count() == 500


def test_unknown_ids_among_known_ones_do_not_cost_queries(client, message, django_assert_max_num_queries):
    reports = [report(message)] + [report(None, extra_id=f"nobody-{number}") for number in range(500)]
    with django_assert_max_num_queries(19):
        post(client, reports)

    assert status(message) == "delivered"


def test_control_characters_in_a_batch_cost_no_neighbour(client, message):
    other = Message.objects.create(phone_number=phone(2), extra_id="own-2", status="accepted")
    body = json.dumps([report(message), {"extra_id": "A\x00B", "number": "\ud83d"}, report(other)]).encode()

    assert post(client, body).status_code == 200
    assert status(message) == status(other) == "delivered"


def test_numbers_that_are_no_json_cost_no_neighbour(client, message):
    body = b'[{"extra_id": "x", "status": NaN, "clicks": 1e999}, ' + json.dumps(report(message)).encode() + b"]"

    assert post(client, body).status_code == 200
    assert status(message) == "delivered"


def test_number_too_long_for_python_costs_no_neighbour(client, message):
    body = b'[{"extra_id": "x", "clicks": ' + b"9" * 5_000 + b"}, " + json.dumps(report(message)).encode() + b"]"

    assert post(client, body).json() == {"received": 2, "stored": 2, "unreadable": 0}
    assert status(message) == "delivered"
    assert DeliveryReport.objects.get(extra_id="x").raw["clicks"] == "9" * 5_000


def test_item_nested_too_deeply_is_kept_as_text_and_costs_no_neighbour(client, message):
    deep = {"extra_id": "x", "deep": json.loads("[" * 400 + '"\\u0000 Їжак"' + "]" * 400)}

    assert post(client, [deep, report(message)]).json() == {"received": 2, "stored": 1, "unreadable": 1}
    assert status(message) == "delivered"
    kept = UnreadableCallback.objects.get()
    assert (json.loads(kept.body), kept.reason) == (deep, "it is nested too deeply")


@pytest.mark.usefixtures("large_bodies")
def test_huge_unreadable_body_is_kept_in_pieces(client):
    body = (b'{"text": "' + 'Ж"\\'.encode() * 5_000_000)[:20_000_000]

    assert post(client, body).status_code == 400
    pieces = list(UnreadableCallback.objects.order_by("pk").values_list("body", "reason"))
    assert "".join(text for text, _reason in pieces) == body.decode(errors="backslashreplace")
    assert [reason for _text, reason in pieces[:2]] == [
        f"The body is not JSON. (part {number} of {len(pieces)})" for number in (1, 2)
    ]


@pytest.mark.usefixtures("large_bodies")
def test_huge_array_of_what_is_no_report_is_kept_and_costs_no_neighbour(client, message):
    items = [["\x01 'Їжак' " * 2_000]] * 250

    assert post(client, [*items, report(message)]).json()["unreadable"] == len(items)
    assert UnreadableCallback.objects.count() == len(items)
    assert status(message) == "delivered"


@pytest.mark.parametrize("kind", ["reports", "replies"])
def test_array_of_more_items_than_there_can_be_reports_is_kept_as_it_came(client, kind, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_MAX_BYTES": 100_000}}
    body = json.dumps([1] * 1_001).encode()

    response = post(client, body, kind=kind)

    assert (response.status_code, response.json()) == (200, {"received": 1, "stored": 0, "unreadable": 1})
    kept = UnreadableCallback.objects.get()
    assert (kept.kind, kept.body.encode(), kept.reason) == (kind, body, views.TOO_MANY)


def test_millions_of_items_are_answered_in_time(client, settings):
    """Three million numbers: nobody waits for an answer for longer than half a minute."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_MAX_BYTES": 10_000_000}}
    body = b"[" + b",".join([b"1"] * 3_000_000) + b"]"
    started = time.process_time()

    assert post(client, body).status_code == 200
    assert time.process_time() - started < 2
    assert "".join(UnreadableCallback.objects.order_by("pk").values_list("body", flat=True)).encode() == body


@pytest.mark.parametrize("kind", ["reports", "replies"])
def test_many_items_that_are_none_are_kept_together_and_cost_no_neighbour(client, message, kind):
    items = [1] * 1_500 + [{}] * 500
    neighbour = report(message) if kind == "reports" else {"phone": phone(1), "text_from_subscriber": "Hi"}

    assert post(client, [*items, neighbour], kind=kind).json()["stored"] == 1
    kept = UnreadableCallback.objects.order_by("pk").values_list("body", "reason")
    assert [(json.loads(body), reason.partition(" (")[2]) for body, reason in kept] == [
        ([1] * 1_500, "1500 items)"),
        ([{}] * 500, "500 items)"),
    ]


@pytest.mark.usefixtures("large_bodies")
def test_reports_with_long_texts_are_stored_whatever_their_number(client, message):
    reports = [report(None, extra_id=f"x-{number}", note="Їжак\\ " * 1_000) for number in range(600)]

    assert post(client, [*reports, report(message)]).json()["stored"] == 601
    assert status(message) == "delivered"


def test_report_too_long_to_be_stored_as_one_is_kept_in_pieces(client, message):
    long = report(None, extra_id="x", note="x" * 5_000_000)

    assert post(client, [long, report(message)]).json() == {"received": 2, "stored": 1, "unreadable": 1}
    assert UnreadableCallback.objects.count() == 6
    assert status(message) == "delivered"


def test_no_more_items_are_built_than_are_read(client):
    body = b"[" + b"[{}]," * 900_000 + b"1]"
    tracemalloc.start()
    try:
        read_items(body, 50_000)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert read_items(body, 50_000) == ([], views.TOO_MANY)
    assert peak < 30_000_000


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[1",
        "[1,",
        "[1 2]",
        "[,1]",
        "[1,,]",
        "[1]]",
        "[1] x",
        "",
        " ",
        "]",
        "[" * 100_000,
        "[1]\x00x",
        "{}{}",
        "[nul]",
    ],
)
def test_what_is_not_json_is_refused_as_before(text):
    assert read_items(text.encode(), 50_000) == ([], "The body is not JSON.")


@pytest.mark.parametrize(
    "value", [[], [1], [{"a": [1, 2]}, [], "x]", None], ["\ud83d\ude00", 1e3], [[["deep"]]], [10**5_000]]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_array_is_read_as_json_is(value, encoding):
    sys.set_int_max_str_digits(0)
    text = f" \n{json.dumps(value)} \t"
    sys.set_int_max_str_digits(4_300)

    assert read_items(text.encode(encoding), 50_000) == (read_json(text), "")


class QuotaTests:
    def test_unreadable_callbacks_are_stored_up_to_a_quota(self, client, message, monkeypatch, caplog):
        monkeypatch.setattr(quota, "UNREADABLE_A_DAY", 300)
        for _ in range(5):
            assert post(client, ["x" * 100, report(message)]).status_code == 200

        assert UnreadableCallback.objects.count() == 3
        assert status(message) == "delivered"
        assert "too many unusable callbacks today" in caplog.text

    def test_bodies_that_are_no_json_count_too(self, client, monkeypatch):
        monkeypatch.setattr(quota, "UNREADABLE_A_DAY", 300)
        assert [post(client, b"x" * 200).status_code for _ in range(3)] == [400, 400, 400]

        assert UnreadableCallback.objects.count() == 1

    def test_reports_of_nobody_are_stored_up_to_a_quota(self, client, message, monkeypatch):
        monkeypatch.setattr(quota, "UNMATCHED_A_DAY", 3)
        for start in (0, 2, 4):
            strangers = [report(None, extra_id=f"x-{number}") for number in range(start, start + 2)]
            assert post(client, [*strangers, report(message, time=1_700_000_000_000 + start)]).status_code == 200

        assert DeliveryReport.objects.filter(message=None).count() == 2
        assert DeliveryReport.objects.filter(message=message).count() == 3

    def test_each_account_and_day_has_its_own(self, client, monkeypatch):
        monkeypatch.setattr(quota, "UNREADABLE_A_DAY", 100)
        CallbackQuota.objects.create(account="other", day=timezone.now().date(), unreadable=100)
        CallbackQuota.objects.create(account="default", day=timezone.now().date() - timedelta(days=1), unreadable=100)
        post(client, b"x" * 90)

        assert UnreadableCallback.objects.count() == 1
        assert CallbackQuota.objects.filter(account="default").count() == 1


class NetworkTests:
    @pytest.fixture(autouse=True)
    def networks(self, settings):
        changes = {"CALLBACK_NETWORKS": ["192.0.2.0/24", "2001:db8::/32"], "CALLBACK_PROXIES": ["10.0.0.0/8"]}
        settings.HYBER = {"default": settings.HYBER["default"] | changes}

    @pytest.mark.parametrize(
        ("remote", "forwarded", "answer"),
        [
            ("192.0.2.7", "", 200),
            ("2001:db8::7", "", 200),
            ("::ffff:192.0.2.7", "", 200),
            ("198.51.100.7", "", 403),
            ("10.1.1.1", "192.0.2.7", 200),
            ("10.1.1.1", "198.51.100.7, 192.0.2.7, 10.2.2.2", 200),
            ("10.1.1.1", "192.0.2.7:4711", 200),
            ("10.1.1.1", "[2001:db8::7]:4711", 200),
            # Whoever is not a proxy may write any header.
            ("198.51.100.7", "192.0.2.7", 403),
            ("10.1.1.1", "192.0.2.7, 198.51.100.7", 403),
            ("10.1.1.1", "192.0.2.7, unknown", 403),
            ("10.1.1.1", "", 403),
            ("", "192.0.2.7", 403),
        ],
    )
    def test_only_these_networks_may_call(self, client, message, remote, forwarded, answer):
        headers = {"REMOTE_ADDR": remote, **({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})}
        url = reverse("django_hyber:reports", args=[TOKEN])
        response = client.post(url, json.dumps(report(message)), content_type="application/json", **headers)

        assert response.status_code == answer
        assert status(message) == ("delivered" if answer == 200 else "accepted")


def test_body_over_the_limit_is_answered_413_and_never_read_whole(client, settings, message):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_MAX_BYTES": 10_000}}

    assert post(client, [report(message)] * 200).status_code == 413
    assert post(client, report(message)).status_code == 200


def test_upload_limit_of_the_project_does_not_apply(client, settings, message):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert post(client, report(message)).status_code == 200
    assert status(message) == "delivered"


HOSTILE_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"anon": "1/day"},
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.MultiPartParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.StaticHTMLRenderer"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "EXCEPTION_HANDLER": "tests.callbacks.test_views.not_ours",
}


def not_ours(exc, context):
    raise AssertionError("the project's exception handler has no business here")


def test_framework_settings_of_the_project_do_not_matter(client, settings, message):
    settings.REST_FRAMEWORK = HOSTILE_FRAMEWORK

    for _ in range(3):
        assert post(client, report(message)).json()["received"] == 1
    assert post(client, report(message), token="wrong").status_code == 403


def test_report_of_a_project_with_atomic_requests_is_stored_even_if_it_cannot_be_applied(
    client, settings, message, monkeypatch
):
    from django_hyber.reports import intake as reports

    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setattr(reports, "update_rows", fail)
    client.raise_request_exception = False

    assert post(client, report(message)).status_code == 500
    assert DeliveryReport.objects.count() == 1


def fail(*args, **kwargs):
    raise DatabaseError("the database has gone away")


def test_trouble_at_the_beginning_of_an_array_does_not_cost_its_end(client, message, monkeypatch):
    from django_hyber.reports import intake as reports

    other = Message.objects.create(phone_number="380671111112", extra_id="other", status="accepted")
    trouble = chain([DatabaseError("a deadlock")], repeat(DEFAULT))
    monkeypatch.setattr(reports, "CHUNK", 1)
    monkeypatch.setattr(reports, "update_rows", Mock(wraps=reports.update_rows, side_effect=trouble))
    client.raise_request_exception = False

    assert post(client, [report(message), report(other)]).status_code == 500
    assert DeliveryReport.objects.count() == 2
    assert status(other) == "delivered"


def test_repeat_after_our_own_trouble_applies_the_report(client, message, monkeypatch):
    from django_hyber.reports import intake as reports

    client.raise_request_exception = False
    with monkeypatch.context() as trouble:
        trouble.setattr(reports, "update_rows", fail)
        assert post(client, report(message)).status_code == 500
    assert status(message) == "accepted"

    assert post(client, report(message)).status_code == 200
    assert status(message) == "delivered"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_refused(client, method):
    url = reverse("django_hyber:reports", kwargs={"token": TOKEN})

    assert getattr(client, method)(url).status_code == 405


def test_no_csrf_token_is_asked_for(message):
    from django.test import Client

    assert post(Client(enforce_csrf_checks=True), report(message)).status_code == 200


def test_token_is_not_logged_whatever_goes_wrong(client, message, caplog, monkeypatch):
    from django_hyber.reports import intake as reports

    caplog.set_level("DEBUG")
    post(client, report(message), token="wrong-token-that-somebody-tried")
    post(client, b"{")
    client.get(reverse("django_hyber:reports", kwargs={"token": TOKEN}))
    monkeypatch.setattr(reports, "update_rows", fail)
    assert post(client, report(message)).status_code == 500
    # The SQL of a test run with a debug cursor is not what anybody logs.
    lines = [record.getMessage() for record in caplog.records if record.name != "django.db.backends"]

    assert any("could not be stored" in line for line in lines)
    assert not any(TOKEN in line or "somebody-tried" in line for line in lines)


@pytest.mark.parametrize("kind", ["reports", "replies"])
@pytest.mark.parametrize(
    "address",
    [
        "/hyber/{token}/{kind}",
        "/hyber/{token}/{kind}//",
        "/hyber/{token}//{kind}/",
        "/hyber//{token}/{kind}",
        "/hyber///{token}///{kind}///",
        "/hyber/{token}/{kind}?source=gms",
        "/hyber/{token}/{kind}/?source=gms&again=1",
        "/hyber/{token}/{kind.upper}/",
        "/hyber/{token}/{kind.title}",
        "/hyber//{token}//{kind.title}//",
        "/hyber/{token}/{kind}%20",
        "/hyber/{token}/{kind}/%0D%0A",
        "/hyber/{token}/%C2%A0{kind}/",
        "/hyber/{token}%20/{kind}/",
        "/hyber/%20{token}/{kind}/",
        "/hyber/{token}%0A/{kind}/",
        "/hyber/%0A{token}%C2%A0/{kind}",
        "/hyber/%20/{token}%20/{kind}/",
        "/hyber/{token}/{kind}.",
        "/hyber/{token}/{kind},",
        "/hyber/{token}/{kind};",
        "/hyber/{token}/{kind}/.",
        "/hyber/{token}/{kind}/).",
        "/hyber/{token}/{kind}%C2%BB",
    ],
)
def test_address_with_a_missing_or_doubled_slash_a_capital_or_a_space_is_taken(client, message, kind, address):
    body = report(message) if kind == "reports" else {"phone": phone(1), "text_from_subscriber": "СТОП"}
    spelling = address.replace("{kind.upper}", kind.upper()).replace("{kind.title}", kind.title())
    url = spelling.format(token=TOKEN, kind=kind)
    response = client.post(url, json.dumps(body), content_type="application/json")

    assert response.status_code == 200
    assert response.json()["stored"] == 1
    assert Suppression.objects.exists() is (kind == "replies")


def test_address_that_is_sent_to_the_platform_has_its_slash():
    assert reverse("django_hyber:reports", kwargs={"token": TOKEN}) == f"/hyber/{TOKEN}/reports/"
    assert reverse("django_hyber:replies", kwargs={"token": TOKEN}) == f"/hyber/{TOKEN}/replies/"


def test_addresses_cause_no_warning_of_the_system_check():
    assert run_checks(tags=["urls"]) == []


def test_mistyped_address_is_not_redirected_to_a_login_that_shows_its_token(client, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    assert client.post(f"/hyber/{TOKEN}/report/", b"{}", content_type="application/json").status_code == 404


@pytest.mark.parametrize("is_debug", [True, False])
@pytest.mark.parametrize(
    "address",
    [
        f"/hyber/{TOKEN}/report/",
        f"/hyber/{TOKEN}/reports/reports/",
        f"/hyber/{TOKEN}/REPLY",
        f"/hyber/{TOKEN}",
        f"/hyber/{TOKEN}/",
        f"/hyber/{TOKEN[:-1]}/report",
        f"/hyber/{TOKEN[1:]}/report",
        f"/hyber/{TOKEN.upper()}/report",
        f"/hyber/reports/{TOKEN}/",
        f"/hyber/x{OLD_TOKEN}x.json",
    ],
)
def test_token_of_a_mistyped_address_is_neither_logged_nor_shown(client, settings, caplog, address, is_debug):
    settings.DEBUG = is_debug
    caplog.set_level("DEBUG")
    answers = [client.post(address, b"{}", content_type="application/json"), client.get(address)]
    lines = [record.getMessage() for record in caplog.records if record.name != "django.db.backends"]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert any("mistyped" in line for line in lines)
    texts = [*lines, *(answer.content.decode() for answer in answers)]
    assert not [text for text in texts for part in (TOKEN[2:-2], OLD_TOKEN[2:-2]) if part in text.casefold()]


def test_other_pages_of_the_project_under_the_same_prefix_are_not_ours(client, settings):
    settings.ROOT_URLCONF = "tests.callbacks.test_views"

    assert client.get("/shop/news/").content == b"news"


REPLIES = ["doc_reply_viber_text", "doc_reply_viber_deeplink", "doc_reply_viber_media", "doc_reply_whatsapp_text"]


@pytest.mark.parametrize("name", REPLIES)
def test_reply_samples_of_the_vendor_are_stored(client, name):
    assert post(client, sample(name), kind="replies").status_code == 200
    assert Reply.objects.get().raw == sample(name)


def test_reply_is_stored_once_matched_and_told(client):
    message = Message.objects.create(phone_number="380951234567", extra_id="1883")
    heard = []

    def receiver(sender, reply, **kwargs):
        heard.append(reply.text)

    reply_received.connect(receiver)
    post(client, sample("doc_reply_viber_text"), kind="replies")
    post(client, [sample("doc_reply_viber_text")], kind="replies")
    reply_received.disconnect(receiver)

    assert Reply.objects.get().message == message
    assert heard == ["Reply from viber user"]


def test_reply_with_unstorable_characters_is_stored(client):
    body = sample("doc_reply_viber_text") | {"text_from_subscriber": "A\x00B \ud83d"}

    assert post(client, json.dumps(body).encode(), kind="replies").status_code == 200
    assert Reply.objects.get().text == "AB \ufffd"


def test_request_to_stop_at_the_address_for_reports_is_not_lost(client, message, caplog):
    stop = sample("doc_reply_viber_text") | {"phone": phone(2), "text_from_subscriber": "Стоп"}
    answer = post(client, [report(message), stop, "rubbish"])

    assert answer.json() == {"received": 3, "stored": 2, "unreadable": 1}
    assert status(message) == "delivered"
    assert Suppression.objects.get().phone_number == phone(2)
    assert [record.event for record in caplog.records if hasattr(record, "event")] == ["callback-misplaced"]
    assert DeliveryReport.objects.count() == 1


def test_request_to_stop_is_stored_though_the_reports_beside_it_fail(client, message, monkeypatch):
    monkeypatch.setattr(views.services, "apply_delivery_reports", Mock(side_effect=DatabaseError))
    stop = sample("doc_reply_viber_text") | {"phone": phone(2), "text_from_subscriber": "Стоп"}

    assert post(client, [report(message), stop]).status_code == 500
    assert Suppression.objects.get().phone_number == phone(2)


@pytest.mark.parametrize("name", REPLIES)
def test_every_reply_of_the_guide_is_told_from_a_report(client, name):
    assert post(client, sample(name)).status_code == 200
    assert (Reply.objects.count(), DeliveryReport.objects.count()) == (1, 0)


def test_report_at_the_address_for_replies_is_applied(client, message):
    assert post(client, [report(message)], kind="replies").json() == {"received": 1, "stored": 1, "unreadable": 0}
    assert status(message) == "delivered"
    assert not UnreadableCallback.objects.exists()


@pytest.mark.parametrize("text", [["СТОП"], ["Добрий день", "стоп"], [["stop"]]])
def test_request_to_stop_in_a_list_is_not_lost(client, text):
    post(client, {"phone": phone(1), "text_from_subscriber": text}, kind="replies")

    assert Suppression.objects.filter(phone_number=phone(1)).exists()


def test_unreadable_reply_is_kept(client):
    assert post(client, ["rubbish", sample("doc_reply_viber_text")], kind="replies").status_code == 200
    assert Reply.objects.count() == 1
    assert UnreadableCallback.objects.get().kind == "replies"
