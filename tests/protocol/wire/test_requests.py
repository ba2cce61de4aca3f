import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from django_hyber.protocol import (
    MAX_RECIPIENTS,
    SMS,
    BatchMessage,
    Push,
    Recipient,
    Viber,
    WhatsApp,
    batch_body,
    broadcast_body,
    channels_from_wire,
    single_body,
)
from tests.protocol import vectors

START = datetime(2020, 12, 12, 10, 10, 10, tzinfo=timezone(timedelta(hours=3)))
COMMON = {
    "callback_url": "https://send-dr-here.com",
    "start_time": START,
    "tag": "Campaign name",
    "division_code": "Division code",
}
BUTTON = {"img": "https://example.com/image.png", "caption": "Click the button", "action": "https://example.com"}


def assert_same_json(body, expected):
    """Equality of Python would let 1, 1.0 and True pass for one another."""
    assert json.dumps(body, sort_keys=True) == json.dumps(expected, sort_keys=True)


def channels_of(vector):
    return channels_from_wire(vector["channels"], vector["channel_options"])


@pytest.mark.parametrize("name", vectors.names("seed_single_*", "doc_single_*"))
def test_single_bodies_equal_the_samples(name):
    vector = vectors.load(name)
    body = single_body(phone_number="380961111111", extra_id="AD-6640-7006", channels=channels_of(vector), **COMMON)
    assert_same_json(body, vector)


@pytest.mark.parametrize("name", vectors.names("doc_batch_*"))
def test_batch_bodies_equal_the_samples(name):
    vector = vectors.load(name)
    messages = [BatchMessage(str(item["phone_number"]), item["extra_id"], item["text"]) for item in vector["messages"]]
    assert_same_json(batch_body(messages, channels_of(vector), **COMMON), vector)


@pytest.mark.parametrize("name", vectors.names("doc_broadcast_*"))
def test_broadcast_bodies_equal_the_samples(name):
    vector = vectors.load(name)
    recipients = [
        Recipient(str(item.pop("phone_number")), item.pop("extra_id"), item)
        for item in vectors.load(name)["recipients"]
    ]
    assert_same_json(broadcast_body(recipients, channels_of(vector), **COMMON), vector)


def test_a_chain_written_by_hand_equals_the_sample():
    channels = [
        Push(text="Text for Push", ttl=60, title="Title for Push", ctr=False, **BUTTON),
        Viber(text="Text for Viber", ttl=60, device="phone", ctr=False, **BUTTON),
        SMS(text="Text for SMS", alpha_name="GMSU", ttl=300, ctr=False),
    ]
    body = single_body(phone_number="380961111111", extra_id="AD-6640-7006", channels=channels, **COMMON)
    assert_same_json(body, vectors.load("seed_single_01"))


def test_a_viber_file_written_by_hand_equals_the_sample():
    file = Viber(
        ttl=60,
        device="phone",
        file_name="Name_for_document.docx",
        action="https://example.com/file.docx",
        ctr=False,
    )
    body = single_body(phone_number="380961111111", extra_id="AD-6640-7006", channels=[file], **COMMON)
    assert_same_json(body, vectors.load("seed_single_06"))


def test_a_whatsapp_session_written_by_hand_equals_the_sample():
    session = WhatsApp(
        text="Session text for WhatsApp",
        img="https://example.com/image.png",
        img_name="Name for image",
        doc="https://example.com/file.docx",
        doc_name="Name for document",
        audio="https://example.com/audio.mp3",
        video="https://example.com/video.mp4",
        video_name="Name for video",
        latitude="50.438820",
        longitude="30.498916",
        ctr=False,
    )
    body = single_body(phone_number="380961111111", extra_id="AD-6640-7006", channels=[session], **COMMON)
    expected = vectors.load("seed_single_09")
    assert_same_json(body, expected | {"channel_options": {"whatsapp": session.to_wire()}})
    assert session.to_wire() == expected["channel_options"]["whatsapp"] | {"text": session.text}


def test_a_broadcast_written_by_hand_equals_the_sample():
    recipients = [
        Recipient("380961111111", "AD-6640-7006", {"name": "Michael", "greeting": "Mr. "}),
        Recipient("380962222222", "AD-6640-7007", {"name": "Zoya", "greeting": "Ms. "}),
    ]
    sms = SMS(text="Dear %greeting% %name%! Here is an SMS", alpha_name="GMSU", ttl=300, ctr=False)
    assert_same_json(broadcast_body(recipients, [sms], **COMMON), vectors.load("doc_broadcast_sms"))


def test_what_is_empty_is_left_out():
    for options in ({}, {"extra_id": "", "callback_url": "", "start_time": None, "tag": "", "division_code": ""}):
        body = single_body(phone_number="380961111111", channels=[SMS(text="Hi")], **options)
        assert set(body) == {"phone_number", "channels", "channel_options"}


def test_a_misspelled_option_is_not_left_out_silently():
    with pytest.raises(TypeError, match="calback_url"):
        batch_body([BatchMessage("380961111111", "a", "Hi")], [SMS(text="Hi")], calback_url="https://shop.example")


def test_phones_can_go_out_as_strings():
    sms = [SMS(text="Hi")]
    phone = "380961111111"
    assert single_body(phone_number=phone, channels=sms, phone_as_number=False)["phone_number"] == phone
    batch = batch_body([BatchMessage(phone, "a", "Hi")], sms, phone_as_number=False)
    assert batch["messages"][0]["phone_number"] == phone
    broadcast = broadcast_body([Recipient(phone, "a", {})], sms, phone_as_number=False)
    assert broadcast["recipients"][0]["phone_number"] == phone


def test_a_variable_cannot_replace_the_phone_or_the_id():
    forged = {"phone_number": "1", "extra_id": "2", "name": "Zoya"}
    body = broadcast_body([Recipient("380961111111", "own", forged)], [SMS(text="Hi")])
    assert body["recipients"] == [{"phone_number": 380961111111, "extra_id": "own", "name": "Zoya"}]


def test_start_time_keeps_its_offset_and_drops_microseconds():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    body = single_body(phone_number="380961111111", channels=[], start_time=moment)
    assert body["start_time"] == "2026-01-02 03:04:05+00:00"


def test_a_start_time_of_text_is_passed_as_given():
    body = single_body(phone_number="380961111111", channels=[], start_time="2020-12-12 10:10:10")
    assert body["start_time"] == "2020-12-12 10:10:10"


def test_a_naive_start_time_is_refused():
    with pytest.raises(ValueError, match=r"^start_time needs a UTC offset: pass an aware datetime\.$"):
        single_body(phone_number="380961111111", channels=[], start_time=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "build",
    [
        lambda count: batch_body((BatchMessage("380961111111", "a", "Hi") for _ in range(count)), []),
        lambda count: broadcast_body((Recipient("380961111111", "a", {}) for _ in range(count)), []),
    ],
    ids=["batch", "broadcast"],
)
class TestNumberOfRecipients:
    def test_the_limit_itself_is_allowed(self, build):
        body = build(MAX_RECIPIENTS)
        assert len(body.get("messages") or body["recipients"]) == 50_000

    def test_one_more_is_refused(self, build):
        with pytest.raises(ValueError, match="50,000"):
            build(MAX_RECIPIENTS + 1)

    def test_nobody_is_refused(self, build):
        with pytest.raises(ValueError, match="no recipients"):
            build(0)


def test_no_more_recipients_are_read_than_show_that_there_are_too_many():
    messages = (BatchMessage("380961111111", "a", "Hi") for _ in range(MAX_RECIPIENTS + 3))
    with pytest.raises(ValueError, match="50,000"):
        batch_body(messages, [])
    assert len(list(messages)) == 2


def test_a_phone_that_is_not_digits_is_refused_without_quoting_it():
    with pytest.raises(ValueError, match="digits only") as caught:
        single_body(phone_number="067-123-45-67", channels=[])
    assert "067" not in str(caught.value)
    assert caught.value.__context__ is None
