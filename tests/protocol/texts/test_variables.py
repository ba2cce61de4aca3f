import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import SMS, Viber, WhatsApp, check_variable_name, find_variables, render, render_channel


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dear %greeting% %name%!", {"greeting", "name"}),
        ("50% off %name%", {"name"}),
        ("%name%%greeting%", {"name", "greeting"}),
        ("100%", set()),
        ("% name %", set()),
        ("%%name%%", {"name"}),
        ("%1st%", set()),
        ("%ім'я%", set()),
        ("%_a1%", {"_a1"}),
    ],
)
def test_variables_are_found_between_percent_signs(text, names):
    assert find_variables([SMS(text=text)]) == names


def test_variables_are_found_in_every_option_of_every_channel():
    channels = [
        Viber(file_name="%file%", action="%url%", ttl=60),
        WhatsApp(latitude="%lat%", longitude="%lon%"),
        SMS(text="Hi", extra={"nested": {"list": ["%deep%", ("%deeper%", 1)]}}),
    ]
    assert find_variables(channels) == {"file", "url", "lat", "lon", "deep", "deeper"}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Dear %greeting%%name%!", "Dear Mr. Zoya!"),
        ("50% off, %name%", "50% off, Zoya"),
        ("%unknown% %name%", "%unknown% Zoya"),
        ("no variables", "no variables"),
        ("100% of %name%%", "100% of Zoya%"),
    ],
)
def test_rendering_puts_the_known_values_in(text, rendered):
    assert render(text, {"greeting": "Mr. ", "name": "Zoya"}) == rendered


def test_a_value_that_looks_like_a_variable_stays_as_it_is():
    assert render("%a%", {"a": "%b%", "b": "no"}) == "%b%"


@given(st.text())
def test_rendering_without_values_changes_nothing(text):
    assert render(text, {}) == text


def test_a_rendered_channel_has_the_values_in_all_its_options():
    channel = Viber(text="Hi %name%", ttl=60, ctr=True, extra={"list": ["%name%", 1], "map": {"key": "%name%"}})
    rendered = render_channel(channel, {"name": "Zoya"})
    assert rendered == Viber(text="Hi Zoya", ttl=60, ctr=True, extra={"list": ["Zoya", 1], "map": {"key": "Zoya"}})
    assert channel.text == "Hi %name%"


@pytest.mark.parametrize("name", ["name", "_x", "Name2", "a" * 64])
def test_good_names(name):
    assert check_variable_name(name) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("phone_number", "reserved-variable"),
        ("extra_id", "reserved-variable"),
        ("", "variable-name"),
        ("first name", "variable-name"),
        ("1st", "variable-name"),
        ("ім'я", "variable-name"),
        ("name\n", "variable-name"),
    ],
)
def test_bad_names(name, code):
    problem = check_variable_name(name)
    assert (problem.code, problem.is_error) == (code, True)
    assert name in problem.message
