import json
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import (
    CHANNELS,
    SMS,
    Channel,
    Push,
    UnknownChannel,
    Viber,
    WhatsApp,
    channel_from_wire,
    channels_from_wire,
    field_rules,
)

WORDS = st.text(max_size=5)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(WORDS, children, max_size=3),
    max_leaves=5,
)


def test_only_given_fields_go_on_the_wire():
    assert SMS(text="Hi", alpha_name="GMSU", ttl=300).to_wire() == {"text": "Hi", "alpha_name": "GMSU", "ttl": 300}


def test_false_is_a_given_value():
    assert Viber(text="Hi", ttl=60, ctr=False).to_wire()["ctr"] is False


def test_whatsapp_has_its_only_ttl_by_default():
    assert WhatsApp(text="Hi").to_wire() == {"text": "Hi", "ttl": 604800}


@pytest.mark.parametrize(
    ("given_value", "on_the_wire"),
    [
        ("50.438820", "50.438820"),
        (Decimal("50.438820"), "50.438820"),
        (50.4, "50.4"),
        (50, "50"),
        (-0.00001, "-0.00001"),
        (Decimal("1E+1"), "10"),
        ("%lat%", "%lat%"),
    ],
)
def test_coordinates_go_out_as_plain_strings(given_value, on_the_wire):
    wire = WhatsApp(latitude=given_value, longitude=given_value).to_wire()
    assert (wire["latitude"], wire["longitude"]) == (on_the_wire, on_the_wire)


def test_extra_options_are_passed_through_untouched():
    survey = {"survey_options": ["yes", "no"], "ios_expirity_text": None}
    assert Viber(text="Hi", ttl=60, extra=survey).to_wire() == {"text": "Hi", "ttl": 60, **survey}


def test_an_extra_option_does_not_win_over_a_field():
    assert SMS(text="mine", extra={"text": "other"}).to_wire() == {"text": "mine"}


def test_unknown_options_become_extra_ones():
    channel = channel_from_wire("viber", {"text": "Hi", "ttl": 60, "extra": 1, "name": "x", "survey_options": ["a"]})
    assert channel == Viber(text="Hi", ttl=60, extra={"extra": 1, "name": "x", "survey_options": ["a"]})
    assert channel.to_wire()["extra"] == 1


def test_an_unknown_channel_is_refused_by_name():
    with pytest.raises(UnknownChannel, match="'vk'"):
        channel_from_wire("vk", {})


def test_channels_keep_their_order_of_priority():
    channels = channels_from_wire(["viber", "sms"], {"sms": {"text": "b"}, "viber": {"text": "a"}})
    assert channels == [Viber(text="a"), SMS(text="b")]


def test_a_listed_channel_without_options_is_left_to_validation():
    assert channels_from_wire(["sms"], {}) == [SMS()]


@pytest.mark.parametrize("name", CHANNELS)
@given(data=st.data())
def test_wire_options_survive_the_round_trip(name, data):
    known = st.sampled_from([rule.name for rule in field_rules(CHANNELS[name]) if rule.kind != "coordinate"])
    values = JSON_VALUES.filter(lambda value: value is not None)
    options = data.draw(st.dictionaries(known | WORDS, values, max_size=5))
    options.setdefault("ttl", 1)
    assert channel_from_wire(name, options).to_wire() == options


@pytest.mark.parametrize("channel", CHANNELS.values())
def test_channels_can_be_hashed_and_pickled(channel):
    value = channel(text="Hi", extra={"list": [1]})
    assert hash(value) == hash(channel(text="Hi", extra={"list": [1]}))
    assert pickle.loads(pickle.dumps(value)) == value


def test_rules_name_every_field_of_their_channel_and_nothing_else():
    for channel in CHANNELS.values():
        known = [rule.name for rule in field_rules(channel)]
        assert set(known) == set(vars(channel())) - {"extra"}
    assert field_rules(Channel) == ()


def test_rules_hold_the_limits_of_the_guide():
    limits = {
        (channel.name, rule.name): (rule.minimum, rule.maximum, rule.max_length, rule.required)
        for channel in (Push, Viber, SMS, WhatsApp)
        for rule in field_rules(channel)
    }
    assert limits["push", "ttl"] == (30, 86400, None, True)
    assert limits["push", "title"] == (None, None, 20, True)
    assert limits["viber", "ttl"] == (40, 86400, None, True)
    assert limits["viber", "text"] == (None, None, 1000, False)
    assert limits["viber", "file_name"] == (None, None, 25, False)
    assert limits["sms", "ttl"] == (300, 259200, None, True)
    assert limits["sms", "alpha_name"] == (None, None, 11, True)
    assert limits["whatsapp", "ttl"] == (604800, 604800, None, True)
    assert limits["whatsapp", "img_name"] == (None, None, 1000, False)


def test_wire_form_is_json():
    channel = WhatsApp(latitude=Decimal("50.5"), longitude=30, text="Привіт")
    assert json.loads(json.dumps(channel.to_wire()))["longitude"] == "30"
