import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import (
    CHANNELS,
    SMS,
    Push,
    Viber,
    WhatsApp,
    channels_from_wire,
    validate_channels,
    validate_request,
)
from django_hyber.protocol.channels.content import VIBER_FILE_EXTENSIONS
from tests.protocol import vectors

URL = "https://example.com/image.png"
LONG_URL = "https://example.com/" + "a" * 240
VIDEO = {"thumbnail": URL, "action": "https://example.com/video.mp4", "file_size": 3, "duration": 60}
BUTTON = {"caption": "Click the button", "action": "https://example.com"}


def push(**options):
    return Push(**{"text": "Hi", "title": "Title", "ttl": 60} | options)


def viber(**options):
    return Viber(**{"text": "Hi", "ttl": 60} | options)


def sms(**options):
    return SMS(**{"text": "Hi", "ttl": 300, "alpha_name": "GMSU"} | options)


def whatsapp(**options):
    return WhatsApp(**{"text": "Hi"} | options)


def readable(problems):
    """Wherever a problem is shown, it says what is wrong, with all of its values."""
    for problem in problems:
        assert problem.message
        assert "None" not in problem.message
    return problems


def found(*channels, **switches):
    return {(item.channel, item.field, item.code) for item in readable(validate_channels(channels, **switches))}


def levels(*channels):
    return {(item.channel, item.field, item.code): item.level for item in readable(validate_channels(channels))}


@pytest.mark.parametrize("name", vectors.names("seed_single_*", "doc_single_*"))
def test_the_samples_of_single_messages_are_valid(name):
    vector = vectors.load(name)
    assert validate_channels(channels_from_wire(vector["channels"], vector["channel_options"])) == []


@pytest.mark.parametrize("name", vectors.names("doc_batch_*"))
def test_the_samples_of_batches_are_valid(name):
    vector = vectors.load(name)
    channels = channels_from_wire(vector["channels"], vector["channel_options"])
    assert validate_channels(channels, text_from_recipient=True) == []


@pytest.mark.parametrize("name", vectors.names("doc_broadcast_*"))
def test_the_samples_of_broadcasts_are_valid(name):
    vector = vectors.load(name)
    channels = channels_from_wire(vector["channels"], vector["channel_options"])
    assert validate_channels(channels, variables=True) == []


class TestOrderOfChannels:
    def test_there_must_be_one(self):
        assert found() == {("", "", "no-channels")}

    def test_each_only_once(self):
        assert found(viber(), viber(text="other")) == {("viber", "", "duplicate-channel")}

    def test_sms_is_meant_to_be_last(self):
        assert levels(sms(), viber()) == {("sms", "", "sms-not-last"): "warning"}
        assert levels(push(), viber(), sms()) == {}


@pytest.mark.parametrize(
    ("channel", "field"),
    [
        (push(text=None), "text"),
        (push(title=None), "title"),
        (push(ttl=None), "ttl"),
        (viber(ttl=None), "ttl"),
        (sms(text=None), "text"),
        (sms(text=""), "text"),
        (sms(text=" \n"), "text"),
        (sms(ttl=None), "ttl"),
        (sms(alpha_name=None), "alpha_name"),
        (sms(alpha_name=""), "alpha_name"),
        (whatsapp(ttl=None), "ttl"),
    ],
)
def test_required_fields(channel, field):
    assert found(channel) == {(channel.name, field, "required")}


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [(push, 30, 86400), (viber, 40, 86400), (sms, 300, 259200), (whatsapp, 604800, 604800)],
)
def test_the_ttl_of_each_channel_has_its_range(make, low, high):
    name = make().name
    assert not any(problem.is_error for ttl in (low, high) for problem in validate_channels([make(ttl=ttl)]))
    assert (name, "ttl", "out-of-range") in found(make(ttl=low - 1))
    assert (name, "ttl", "out-of-range") in found(make(ttl=high + 1))


@pytest.mark.parametrize("ttl", [True, "300", 300.0, Decimal(300), [300]])
def test_a_ttl_is_a_whole_number(ttl):
    assert found(sms(ttl=ttl)) == {("sms", "ttl", "wrong-type")}


def test_a_short_viber_ttl_is_doubtful():
    assert levels(viber(ttl=59)) == levels(viber(ttl=40)) == {("viber", "ttl", "short-ttl"): "warning"}
    assert levels(viber(ttl=60)) == {}
    assert levels(viber(ttl=39)) == {("viber", "ttl", "out-of-range"): "error"}
    assert levels(viber(ttl=True)) == {("viber", "ttl", "wrong-type"): "error"}


@pytest.mark.parametrize(
    ("make", "field", "limit"),
    [
        (push, "text", 1000),
        (push, "title", 20),
        (push, "caption", 30),
        (viber, "text", 1000),
        (whatsapp, "text", 1000),
        (sms, "alpha_name", 11),
    ],
)
def test_lengths(make, field, limit):
    assert found(make(**{field: "a" * limit})) == set()
    assert found(make(**{field: "a" * (limit + 1)})) == {(make().name, field, "too-long")}


def test_lengths_are_counted_in_characters_and_not_in_their_encoding():
    assert found(viber(text="😀" * 1000)) == set()


@pytest.mark.parametrize(
    "channel",
    [
        push(img=LONG_URL),
        viber(img=LONG_URL, **BUTTON),
        viber(caption="Go", action=LONG_URL),
        whatsapp(doc=LONG_URL),
        whatsapp(audio=LONG_URL),
        whatsapp(video=LONG_URL),
    ],
)
def test_addresses_have_a_limit(channel):
    assert [code for _, _, code in found(channel)] == ["too-long"]


@pytest.mark.parametrize(
    "url", ["example.com", "ftp://example.com", "https://", "https:// example.com", "viber://chat"]
)
def test_an_image_needs_a_web_address(url):
    assert found(push(img=url)) == {("push", "img", "not-url")}


@pytest.mark.parametrize(
    "action",
    [
        "https://example.com",
        "HTTP://EXAMPLE.COM/шлях?a=1",
        "viber://keypad?number=380671234567",
        "viber://chat?service=1234",
        "viber://more/qr",
        "tel:+380671234567",
    ],
)
def test_a_button_may_lead_to_the_web_to_viber_or_to_a_call(action):
    assert found(viber(caption="Go", action=action)) == set()


@pytest.mark.parametrize("action", ["example.com", "javascript:alert(1)", "tel:", "viber:chat", "mailto:a@example.com"])
def test_a_button_may_lead_nowhere_else(action):
    assert found(viber(caption="Go", action=action)) == {("viber", "action", "not-action")}


@pytest.mark.parametrize(
    ("channel", "field"),
    [
        (sms(text=5), "text"),
        (push(img=5), "img"),
        (viber(device=5), "device"),
        (viber(ctr="yes"), "ctr"),
        (viber(ctr=1), "ctr"),
        (viber(text=None, **VIDEO | {"duration": "60"}), "duration"),
        (viber(text=None, **VIDEO | {"file_size": float("nan")}), "file_size"),
        (whatsapp(latitude="north", longitude="1"), "latitude"),
        (whatsapp(latitude="1e1", longitude="1"), "latitude"),
        (whatsapp(latitude=True, longitude="1"), "latitude"),
        (whatsapp(latitude=Decimal("sNaN"), longitude="1"), "latitude"),
        (whatsapp(latitude=10**400, longitude="1"), "latitude"),
    ],
)
def test_types(channel, field):
    assert found(channel) == {(channel.name, field, "wrong-type")}


@pytest.mark.parametrize("text", ["a\x00b", "a\ud83d"])
def test_characters_that_cannot_be_stored_are_refused_in_every_field(text):
    channels = [
        (viber(text=text), "text"),
        (viber(alpha_name=text), "alpha_name"),
        (sms(alpha_name=text), "alpha_name"),
        (push(img=URL + text), "img"),
        (viber(extra={"survey_options": [text]}), "extra"),
    ]
    for channel, field in channels:
        assert found(channel) == {(channel.name, field, "characters")}


def test_an_empty_optional_field_is_to_be_left_out():
    assert found(viber(alpha_name="")) == {("viber", "alpha_name", "blank")}


class TestViber:
    @pytest.mark.parametrize(
        "options",
        [
            {"text": "Hi"},
            {"text": "Hi", **BUTTON},
            {"text": "Hi", "img": URL, **BUTTON},
            {"img": URL},
            {"file_name": "a.docx", "action": URL},
            VIDEO,
            {"text": "Hi", **VIDEO},
            {"text": "Hi", "caption": "Watch", **VIDEO},
        ],
    )
    def test_the_kinds_of_the_guide(self, options):
        assert found(Viber(ttl=60, **options)) == set()

    def test_needs_some_content(self):
        assert found(viber(text=None)) == {("viber", "", "no-content")}

    def test_an_empty_text_is_no_content(self):
        assert found(viber(text="")) == {("viber", "", "no-content"), ("viber", "text", "blank")}

    def test_device_is_all_or_phone(self):
        assert found(viber(device="all")) == set()
        assert found(viber(device="tablet")) == {("viber", "device", "not-a-choice")}

    def test_a_caption_needs_an_action(self):
        assert found(viber(caption="Go")) == {("viber", "caption", "needs")}

    @pytest.mark.parametrize("button", [{}, {"action": URL}])
    def test_an_image_under_a_text_is_meant_to_have_a_button(self, button):
        assert levels(viber(img=URL, **button)) == {("viber", "img", "image-without-button"): "warning"}

    def test_a_file_needs_an_action(self):
        assert found(viber(text=None, file_name="a.pdf")) == {("viber", "file_name", "needs")}

    @pytest.mark.parametrize("other", [{"text": "Hi"}, {"img": URL}, {"caption": "Go"}])
    def test_a_file_goes_alone(self, other):
        channel = Viber(ttl=60, file_name="a.pdf", action=URL, **other)
        assert found(channel) == {("viber", "file_name", "excludes")}

    def test_a_file_is_no_video(self):
        problems = validate_channels([Viber(ttl=60, file_name="a.pdf", **VIDEO)])
        assert {item.params["other"] for item in problems} == {"thumbnail", "file_size", "duration"}

    @pytest.mark.parametrize("extension", sorted(VIBER_FILE_EXTENSIONS))
    def test_the_extensions_of_the_guide_in_any_case(self, extension):
        for name in (f"a{extension}", f"a.b{extension.upper()}"):
            assert found(viber(text=None, file_name=name, action=URL)) == set()

    @pytest.mark.parametrize("name", ["a", "docx", "a.docx.exe", "a.mp4", ".docx"])
    def test_other_extensions_are_refused(self, name):
        assert found(viber(text=None, file_name=name, action=URL)) == {("viber", "file_name", "file-extension")}

    def test_a_file_name_has_a_limit_of_its_own(self):
        name = "a" * 21 + ".docx"
        assert found(viber(text=None, file_name=name, action=URL)) == {("viber", "file_name", "too-long")}

    @pytest.mark.parametrize("missing", sorted(VIDEO))
    def test_the_fields_of_a_video_come_together(self, missing):
        options = {name: value for name, value in VIDEO.items() if name != missing}
        assert found(viber(**options)) == {("viber", missing, "needs")}

    def test_a_video_excludes_an_image(self):
        assert ("viber", "img", "excludes") in found(viber(img=URL, caption="Watch", **VIDEO))

    def test_the_numbers_of_a_video_are_not_negative(self):
        assert found(viber(**VIDEO | {"duration": -1})) == {("viber", "duration", "out-of-range")}


class TestSMS:
    @pytest.mark.parametrize("text", ["a" * 765, "ж" * 335, "€" * 380])
    def test_five_segments_are_allowed(self, text):
        assert found(sms(text=text)) == set()

    @pytest.mark.parametrize("text", ["a" * 760 + "{[]", "ж" * 336, "€" * 381, "a" * 764 + "`"])
    def test_six_are_not(self, text):
        assert found(sms(text=text)) == {("sms", "text", "too-many-segments")}

    def test_more_than_765_characters_never_fit(self):
        assert ("sms", "text", "too-long") in found(sms(text="a" * 766))

    def test_tracked_links_are_counted_at_their_length(self):
        text = "ж" * 310 + " https://a.ua"
        assert found(sms(text=text)) == set()
        assert found(sms(text=text, ctr=True)) == {("sms", "text", "too-many-segments")}

    @pytest.mark.parametrize("name", ["GMSU", "1st Shop", "Shop & Co.", "Äpfel"])
    def test_an_alpha_name_of_the_basic_table(self, name):
        assert found(sms(alpha_name=name)) == set()

    @pytest.mark.parametrize("name", ["Магазин", "Shop`s", "Shop^", "a€", "a\nb", "a\rb", "a\x1bb"])
    def test_other_characters_are_refused(self, name):
        assert found(sms(alpha_name=name)) == {("sms", "alpha_name", "alpha-name-characters")}


class TestWhatsApp:
    def test_needs_some_content(self):
        assert found(WhatsApp()) == {("whatsapp", "", "no-content")}

    @pytest.mark.parametrize(
        "options",
        [
            {"text": "Hi"},
            {"img": URL, "img_name": "Look"},
            {"doc": URL},
            {"audio": URL},
            {"video": URL},
            {"latitude": "50.438820", "longitude": Decimal("30.498916")},
            {"latitude": -90, "longitude": 180.0},
        ],
    )
    def test_contents(self, options):
        assert found(WhatsApp(**options)) == set()

    @pytest.mark.parametrize(("given_field", "other"), [("latitude", "longitude"), ("longitude", "latitude")])
    def test_coordinates_need_each_other(self, given_field, other):
        problems = validate_channels([whatsapp(**{given_field: 1})])
        assert [(item.field, item.params) for item in problems] == [(given_field, {"other": other})]

    @pytest.mark.parametrize(("latitude", "longitude", "field"), [("90.1", 0, "latitude"), (0, -180.1, "longitude")])
    def test_coordinates_have_their_ranges(self, latitude, longitude, field):
        assert found(whatsapp(latitude=latitude, longitude=longitude)) == {("whatsapp", field, "out-of-range")}

    @pytest.mark.parametrize("name", ["img_name", "doc_name", "video_name"])
    def test_a_name_needs_what_it_names(self, name):
        assert found(whatsapp(**{name: "Look"})) == {("whatsapp", name, "needs")}


class TestExtraOptions:
    def test_unknown_options_are_nobodys_business(self):
        assert found(viber(extra={"survey_options": ["a", "b"]})) == set()

    @pytest.mark.parametrize("extra", [["a"], "a", {1: "a"}])
    def test_must_be_a_mapping_of_names(self, extra):
        assert found(viber(extra=extra)) == {("viber", "extra", "extra-not-mapping")}

    def test_must_not_hide_a_field(self):
        assert found(viber(extra={"img": URL})) == {("viber", "extra", "extra-collides")}

    @pytest.mark.parametrize("value", [{1, 2}, float("inf"), object()])
    def test_must_be_json(self, value):
        assert found(viber(extra={"a": value})) == {("viber", "extra", "extra-not-json")}


class TestBatch:
    def test_the_text_comes_from_the_recipients(self):
        channels = [push(text=None), viber(text=None), sms(text=None), whatsapp(text=None)]
        assert found(*channels[:3], text_from_recipient=True) == set()
        assert found(channels[3], text_from_recipient=True) == set()

    def test_a_text_of_the_channel_is_refused(self):
        assert found(sms(), text_from_recipient=True) == {("sms", "text", "text-not-allowed")}

    def test_a_file_cannot_go_with_the_text_of_each_recipient(self):
        channel = viber(text=None, file_name="a.pdf", action=URL)
        assert found(channel, text_from_recipient=True) == {("viber", "file_name", "excludes")}


class TestBroadcast:
    @pytest.mark.parametrize(
        "channel",
        [
            viber(text=None, file_name="%name_of_a_very_long_document%", action="%url%"),
            viber(img="%image%", caption="%a_caption_of_more_than_thirty_characters%", action="%url%"),
            sms(text="%name%" + "ж" * 400, alpha_name="%sender_name%"),
            whatsapp(latitude="%lat%", longitude="%lon%"),
        ],
    )
    def test_fields_with_variables_are_measured_later(self, channel):
        assert found(channel, variables=True) == set()
        assert found(channel) != set()

    def test_fields_without_variables_are_measured_now(self):
        assert found(sms(text="50% off " + "ж" * 400), variables=True) == {("sms", "text", "too-many-segments")}

    def test_alpha_name_without_variables_is_checked_now(self):
        assert found(sms(alpha_name="Магазин"), variables=True) == {("sms", "alpha_name", "alpha-name-characters")}
        assert found(sms(alpha_name="%name%^"), variables=True) == set()

    def test_file_name_without_variables_is_checked_now(self):
        channel = viber(text=None, file_name="a.exe", action="%url%")
        assert found(channel, variables=True) == {("viber", "file_name", "file-extension")}

    def test_what_has_no_text_in_it_is_checked_as_ever(self):
        assert found(viber(text="%name%", ttl="%ttl%"), variables=True) == {("viber", "ttl", "wrong-type")}


class TestRequest:
    GOOD = {"phone_number": "380671234567", "extra_id": "AD-6640_7006.a"}

    def found(self, **fields):
        return {(item.field, item.code) for item in readable(validate_request(**self.GOOD | fields))}

    def test_a_good_one(self):
        start = datetime(2026, 1, 1, tzinfo=UTC)
        fields = {"callback_url": URL, "start_time": start, "tag": "a" * 64, "division_code": "a" * 100}
        assert self.found(**fields) == set()

    def test_everything_but_the_phone_may_be_missing(self):
        assert validate_request(phone_number="380671234567", extra_id=None, callback_url=None, start_time=None) == []

    def test_what_is_empty_is_not_sent_and_not_checked(self):
        empty = dict.fromkeys(["extra_id", "callback_url", "start_time", "tag", "division_code"], "")
        assert self.found(**empty) == set()

    @pytest.mark.parametrize("field", ["extra_id", "callback_url", "start_time", "tag", "division_code"])
    def test_other_types_and_characters_that_cannot_be_stored_are_refused(self, field):
        assert self.found(**{field: 5}) == {(field, "wrong-type")}
        assert self.found(**{field: "a\x00b"}) == {(field, "characters")}

    def test_a_mass_request_has_no_phone_of_its_own(self):
        assert validate_request(phone_number=None) == []

    @pytest.mark.parametrize(
        "phone", ["", "683400", "+380671234567", "1" * 16, "38067123456a", "３８０６７１２３４５６７"]
    )
    def test_a_phone_is_seven_to_fifteen_digits(self, phone):
        assert self.found(phone_number=phone) == {("phone_number", "phone-number")}

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"extra_id": "a" * 65}, "extra_id"),
            ({"callback_url": LONG_URL}, "callback_url"),
            ({"tag": "a" * 65}, "tag"),
            ({"division_code": "a" * 101}, "division_code"),
        ],
    )
    def test_lengths(self, fields, field):
        assert self.found(**fields) == {(field, "too-long")}

    def test_a_callback_comes_over_the_web(self):
        assert self.found(callback_url="http://shop.example/hyber/") == set()
        assert self.found(callback_url="shop.example") == {("callback_url", "not-url")}

    @pytest.mark.parametrize("extra_id", ["a/b", "a b", "ї", "a%2F"])
    def test_an_id_that_is_awkward_in_an_address_is_doubtful(self, extra_id):
        [problem] = readable(validate_request(phone_number=None, extra_id=extra_id))
        assert (problem.level, problem.code) == ("warning", "extra-id-characters")

    @pytest.mark.parametrize("extra_id", [".", ".."])
    def test_an_id_that_vanishes_from_an_address_is_wrong(self, extra_id):
        assert self.found(extra_id=extra_id) == {("extra_id", "extra-id-path")}

    def test_a_naive_start_time_is_wrong(self):
        assert self.found(start_time=datetime(2026, 1, 1)) == {("start_time", "naive-start-time")}  # noqa: DTZ001

    def test_a_start_time_of_text_is_doubtful_unless_it_has_an_offset(self):
        assert self.found(start_time="2020-12-12 10:10:10+03:00") == set()
        assert self.found(start_time="2020-12-12 10:10:10") == {("start_time", "start-time-format")}

    @pytest.mark.parametrize(
        "start_time",
        [
            datetime.max.replace(tzinfo=UTC),
            datetime.now(UTC) + timedelta(days=367),
            "9999-12-31 23:59:59+00:00",
            "9999-12-31 23:59:59-12:00",
            "9999-12-31 23:59:59",
            "9999-12-31T23:59:59Z",
        ],
    )
    def test_a_start_time_more_than_a_year_ahead_is_wrong(self, start_time):
        assert self.found(start_time=start_time) == {("start_time", "start-time-too-far")}

    def test_a_start_time_within_a_year_is_right(self):
        assert self.found(start_time=datetime.now(UTC) + timedelta(days=365)) == set()

    @pytest.mark.parametrize(("hours", "problems"), [(-1, set()), (1, {("start_time", "start-time-too-far")})])
    @pytest.mark.parametrize("offset", [-12, 12])
    def test_a_start_time_of_text_is_compared_with_its_offset(self, hours, problems, offset):
        moment = datetime.now(UTC) + timedelta(days=366, hours=hours)
        written = moment.astimezone(timezone(timedelta(hours=offset))).isoformat(sep=" ", timespec="seconds")

        assert self.found(start_time=written) == problems


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        ([], "Choose at least one channel."),
        ([sms(), push()], "sms: SMS should be the last channel."),
        ([sms(ttl=1)], "sms.ttl: This must be from 300 to 259200."),
        ([whatsapp(ttl=1)], "whatsapp.ttl: This must be exactly 604800."),
        ([viber(**VIDEO | {"duration": -1})], "viber.duration: This must be at least 0."),
        ([push(title="a" * 21)], "push.title: This has 21 characters; the limit is 20."),
        ([viber(device="tablet")], "viber.device: This must be one of: all, phone."),
        (
            [viber(ttl=59)],
            "viber.ttl: Below 60 seconds a person may get both the Viber message and the next channel.",
        ),
        ([viber(caption="Go")], "viber.caption: This needs action as well."),
        ([viber(text=None, file_name="a.pdf")], "viber.file_name: This needs action as well."),
        ([viber(file_name="a.pdf", action=URL)], "viber.file_name: A file cannot be combined with text."),
        (
            [viber(text=None, file_name="a", action=URL)],
            f"viber.file_name: The name must end with one of: {' '.join(sorted(VIBER_FILE_EXTENSIONS))}.",
        ),
        ([sms(text="ж" * 336)], "sms.text: The text takes 6 SMS segments; the limit is 5."),
        ([sms(alpha_name="Shop^`^")], "sms.alpha_name: An alpha name cannot have these characters: ^`"),
        (
            [viber(extra={"img": URL, "ctr": True})],
            "viber.extra: Give these options as fields, not as extra options: ctr, img.",
        ),
    ],
)
def test_a_problem_says_what_is_wrong_where_and_with_which_value(channels, text):
    [problem] = validate_channels(channels)
    assert str(problem) == text
    assert problem.template % problem.params == problem.message


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers())


@pytest.mark.parametrize("name", CHANNELS)
@given(data=st.data())
def test_whatever_is_in_the_fields_comes_out_as_problems(name, data):
    channel = CHANNELS[name]
    options = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(vars(channel()), ANYTHING)))
    for problem in validate_channels([channel(**options)], variables=data.draw(st.booleans())):
        assert problem.message
        assert problem.channel == name


@given(st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3))
def test_what_passes_without_errors_can_be_encoded(extra):
    channel = viber(extra=extra)
    if not any(problem.is_error for problem in validate_channels([channel])):
        json.dumps(channel.to_wire(), allow_nan=False)
