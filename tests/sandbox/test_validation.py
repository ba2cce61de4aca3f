"""Mandatory parameters, types and limits of chapters 2, 3 and 8 of the guide."""

import pytest

from django_hyber.sandbox.answers import ParameterError
from django_hyber.sandbox.orders import read_request
from tests.sandbox.bodies import SMS, VIBER, broadcast, single

PUSH = {"text": "Hello", "title": "Shop", "ttl": 60}
WHATSAPP = {"text": "Hello", "ttl": 604800}
VIDEO = {"ttl": 60, "thumbnail": "https://e.com/a.png", "action": "https://e.com/a.mp4", "file_size": 3, "duration": 60}
FILE = {"ttl": 60, "file_name": "offer.docx", "action": "https://e.com/offer.docx"}


def of(channel, **options):
    return single() | {"channels": [channel], "channel_options": {channel: options}}


def without(body, key):
    return {name: value for name, value in body.items() if name != key}


def error_of(kind, body):
    with pytest.raises(ParameterError) as caught:
        read_request(kind, body)
    return caught.value


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        (without(single(), "phone_number"), "phone_number"),
        (without(single(), "channels"), "channels"),
        (without(single(), "channel_options"), "channel_options"),
        (single(channels=()), "channels"),
        (single() | {"channels": "viber"}, "channels"),
        (single() | {"channels": ["viber", "viber"]}, "repeat"),
        (single() | {"channels": ["telegram"]}, "telegram"),
        (single() | {"channels": [["viber"]]}, "channel"),
        (single() | {"channel_options": {"viber": VIBER}}, "channel_options.sms"),
        (single(extra_id="e" * 65), "extra_id"),
        (single(extra_id=1.5), "extra_id"),
        (single(extra_id=True), "extra_id"),
        (single(extra_id=10**64), "extra_id"),
        (single(extra_id=None), "extra_id"),
        (single(tag="t" * 65), "tag"),
        (single(tag=1), "tag"),
        (single(division_code="d" * 101), "division_code"),
        (single(callback_url="https://shop.example/" + "a" * 236), "callback_url"),
        (single(callback_url="shop.example/reports"), "callback_url"),
        (single(callback_url="ftp://shop.example/"), "callback_url"),
        (single(callback_url="https:///reports"), "callback_url"),
        (single(callback_url="https://shop.example:99999/"), "callback_url"),
        (single(start_time="2030-12-12T10:10:10+03:00"), "start_time"),
        (single(start_time="2030-12-12 10:10:10.5+03:00"), "start_time"),
        (single(start_time="2030-13-12 10:10:10+03:00"), "start_time"),
        (single(start_time=1735689600), "start_time"),
        (of("push", **without(PUSH, "title")), "title"),
        (of("push", **without(PUSH, "text")), "text"),
        (of("push", **PUSH | {"title": "t" * 21}), "title"),
        (of("push", **PUSH | {"ttl": 29}), "ttl"),
        (of("viber", **VIBER | {"ttl": 39}), "ttl"),
        (of("viber", **VIBER | {"ttl": 86401}), "ttl"),
        (of("viber", **VIBER | {"ttl": "a minute"}), "ttl"),
        (of("viber", **VIBER | {"ttl": True}), "ttl"),
        (of("viber", **without(VIBER, "ttl")), "ttl"),
        (of("viber", **VIBER | {"text": "t" * 1001}), "text"),
        (of("viber", **VIBER | {"text": ""}), "text"),
        (of("viber", **VIBER | {"ctr": "true"}), "ctr"),
        (of("viber", **VIBER | {"device": "tablet"}), "device"),
        (of("viber", **VIBER | {"caption": "Buy"}), "action"),
        (of("viber", **VIBER | {"caption": "c" * 31, "action": "tel:+380961111111"}), "caption"),
        (of("viber", **VIBER | {"img": "https://e.com/" + "i" * 243}), "img"),
        (of("viber", **VIBER | {"img": 7}), "img"),
        (of("viber", ttl=60), "content"),
        (of("viber", **FILE | {"text": "Offer"}), "file_name"),
        (of("viber", **FILE | {"file_name": "offer.exe"}), "file_name"),
        (of("viber", **FILE | {"file_name": "o" * 21 + ".docx"}), "file_name"),
        (of("viber", **without(FILE, "action")), "action"),
        (of("viber", **without(VIDEO, "duration")), "video"),
        (of("viber", **without(VIDEO, "thumbnail") | {"text": "Look"}), "video"),
        (of("viber", **VIDEO | {"file_size": "3 MB"}), "file_size"),
        (of("sms", **without(SMS, "alpha_name")), "alpha_name"),
        (of("sms", **without(SMS, "text")), "text"),
        (of("sms", **SMS | {"alpha_name": "TwelveLetter"}), "alpha_name"),
        (of("sms", **SMS | {"alpha_name": "Магазин"}), "alpha_name"),
        (of("sms", **SMS | {"alpha_name": "a[b]"}), "alpha_name"),
        (of("sms", **SMS | {"ttl": 299}), "ttl"),
        (of("sms", **SMS | {"ttl": 259201}), "ttl"),
        (of("sms", **SMS | {"text": "a" * 766}), "segments"),
        (of("sms", **SMS | {"text": "я" * 336}), "segments"),
        (of("whatsapp", **WHATSAPP | {"ttl": 604799}), "ttl"),
        (of("whatsapp", ttl=604800), "content"),
        (of("whatsapp", **WHATSAPP | {"latitude": "50.4"}), "longitude"),
        (of("whatsapp", **WHATSAPP | {"latitude": "91", "longitude": "30"}), "latitude"),
        (of("whatsapp", **WHATSAPP | {"latitude": "north", "longitude": "30"}), "latitude"),
    ],
)
def test_broken_single_message_is_refused_and_the_parameter_named(body, named):
    error = error_of("single", body)
    assert error.code == 99001
    assert named in error.text


@pytest.mark.parametrize(
    "body",
    [
        of("push", **PUSH | {"title": "t" * 20, "ttl": 30, "ctr": True}),
        of("viber", **VIBER | {"text": "😀" * 1000, "ttl": 40}),
        of("viber", ttl=86400, img="https://e.com/a.png"),
        of("viber", **VIBER | {"caption": "Call", "action": "tel:+380961111111", "device": "all"}),
        of("viber", **FILE | {"file_name": "OFFER.PDF"}),
        of("viber", **VIDEO | {"text": "Look", "caption": "Buy"}),
        of("sms", **SMS | {"text": "a" * 765, "ttl": 259200, "alpha_name": "1 Shop&Co."}),
        of("sms", **SMS | {"text": "я" * 335}),
        of("sms", **SMS | {"text": "50% off and 20% more"}),
        of("whatsapp", **WHATSAPP | {"latitude": 50.4, "longitude": "-30.5"}),
        single(extra_id="e" * 64, tag="t" * 64, division_code="d" * 100),
        single(start_time="2020-12-12 10:10:10"),
        single(future_parameter={"unknown": True}),
    ],
)
def test_message_within_the_limits_is_taken(body):
    assert len(read_request("single", body).recipients) == 1


@pytest.mark.parametrize(
    "phone", ["+380961111111", "38096", "0380961111111", "3809611111111111", "", None, True, 3809611111.5, "phone"]
)
def test_incorrect_phone_is_36024(phone):
    assert error_of("single", single(phone_number=phone)).as_dict() == {
        "error_code": 36024,
        "error_text": "Phone number incorrect",
    }


def test_phone_may_be_a_string_of_digits():
    (recipient,) = read_request("single", single(phone_number="380961111111")).recipients
    assert recipient.phone == 380961111111


def test_request_of_the_vendors_php_client_is_taken_with_its_integer_id_and_numbers_as_text(api):
    body = {
        "channels": ["viber", "sms"],
        "channel_options": {"viber": VIBER | {"ttl": "60"}, "sms": SMS | {"ttl": "300"}},
        "phone_number": "380961111100",
        "extra_id": 4711,
        "tag": "campaign",
        "is_promotional": True,
    }
    assert api.post(json=body).status_code == 200
    assert api.sandbox.wait_idle(5)
    report = api.report("4711", "advanced")
    assert [entry["extra_id"] for entry in report["reports"]] == ["4711"]
    assert report["channels"] == [{"channel": "viber", "ttl": 60}, {"channel": "sms", "ttl": 300}]


def test_refused_entry_with_an_integer_id_is_echoed_as_text():
    request = read_request("broadcast", broadcast() | {"recipients": [{"phone_number": "1", "extra_id": 17}]})
    assert [entry["extra_id"] for entry in request.refused] == ["17"]


def test_naive_start_time_is_kyiv_time():
    naive = read_request("single", single(start_time="2030-07-01 12:00:00")).order.start_at
    aware = read_request("single", single(start_time="2030-07-01 12:00:00+03:00")).order.start_at
    assert naive == aware


class TestMassRequests:
    @pytest.mark.parametrize("recipients", [None, [], {}, [1], "380961111111"])
    def test_recipients_must_be_a_list_of_objects(self, recipients):
        assert "recipients" in error_of("broadcast", broadcast() | {"recipients": recipients}).text

    def test_50000_recipients_are_allowed_and_not_one_more(self):
        entries = [{"phone_number": 380960000011 + 100 * number} for number in range(50_001)]
        assert len(read_request("broadcast", broadcast() | {"recipients": entries[1:]}).recipients) == 50_000
        assert "50001" in error_of("broadcast", broadcast() | {"recipients": entries}).text

    def test_batch_texts_belong_to_the_recipients(self):
        body = batch({"phone_number": 380961111111, "text": "One"}, sms=SMS)
        assert "channel_options.sms.text" in error_of("batch", body).text

    def test_batch_entry_without_text_is_refused(self):
        request = read_request("batch", batch({"phone_number": 380961111111}))
        assert request.recipients == []
        assert "text" in request.refused[0]["error_text"]

    def test_percent_signs_of_a_batch_are_no_variables(self):
        body = batch({"phone_number": 380961111111, "text": "100 %sure%"})
        assert len(read_request("batch", body).recipients) == 1

    def test_sms_limit_holds_for_every_text_of_a_batch(self):
        short, long = {"phone_number": 380961111111, "text": "a"}, {"phone_number": 380961111112, "text": "я" * 336}
        request = read_request("batch", batch(short, long))
        assert [recipient.phone for recipient in request.recipients] == [380961111111]
        assert "segments" in request.refused[0]["error_text"]

    def test_missing_variable_refuses_the_recipient(self):
        body = broadcast("00", "01", channel_options={"viber": VIBER | {"text": "Hi %name%"}, "sms": SMS})
        del body["recipients"][0]["name"]
        request = read_request("broadcast", body)
        assert [recipient.extra_id for recipient in request.recipients] == ["e-1"]
        assert "name" in request.refused[0]["error_text"]

    def test_variable_must_be_a_string(self):
        body = broadcast("00", channel_options={"viber": VIBER | {"text": "Hi %name%"}, "sms": SMS})
        body["recipients"][0]["name"] = 7
        assert read_request("broadcast", body).recipients == []

    def test_phone_number_is_not_a_variable(self):
        body = broadcast("00", channel_options={"viber": VIBER | {"text": "%phone_number%"}, "sms": SMS})
        assert "phone_number" in error_of("broadcast", body).text

    def test_limits_hold_for_the_rendered_text(self):
        body = broadcast("00", "01", channel_options={"viber": VIBER | {"text": "a" * 996 + "%name%"}, "sms": SMS})
        body["recipients"][1]["name"] = "Solomiya"
        request = read_request("broadcast", body)
        assert [recipient.extra_id for recipient in request.recipients] == ["e-0"]

    def test_sms_parts_are_counted_on_the_rendered_text(self):
        sms = SMS | {"text": "%name%"}
        body = broadcast("00", "01", channels=["sms"], channel_options={"sms": sms})
        body["recipients"][1]["name"] = "я" * 71
        assert [recipient.sms_parts for recipient in read_request("broadcast", body).recipients] == [1, 2]

    def test_text_that_renders_to_nothing_is_refused(self):
        body = broadcast("00", channels=["sms"], channel_options={"sms": SMS | {"text": "%name%"}})
        body["recipients"][0]["name"] = ""
        assert "empty" in read_request("broadcast", body).refused[0]["error_text"]


def batch(*messages, **options):
    options = options or {"sms": without(SMS, "text")}
    return {"messages": list(messages), "channels": list(options), "channel_options": options}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_body_that_is_not_json_is_an_error_body(api, body):
    answer = api.post(data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error_code"] == 99001
