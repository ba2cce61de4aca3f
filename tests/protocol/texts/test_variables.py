from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import (
    SMS,
    Viber,
    WhatsApp,
    check_variable_name,
    find_encoded_links,
    find_misspelled_variables,
    find_variables,
    render,
    render_channel,
)
from django_hyber.protocol.texts.variables import has_variables, split_template


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


ENCODED = "https://shop.example/%D0%B0%D0%BA"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ENCODED, []),
        (ENCODED.lower(), []),
        (f"Hi %name%: {ENCODED}!", ["name"]),
        ("shop.example/%D0%B0%D0%BA", []),
        ("https://shop.example/%D0%BA2024%D0%B0lviv%20x", []),
        ("https://x.example/?u=%name%", ["name"]),
        ("https://x.example/?q=%D0%B0%name%", ["name"]),
        ("https://x.example/?q=a%20%name%", ["name"]),
        ("https://x.example/?q=%name%%20%D0%B0%town%", ["name", "town"]),
        ("https://x.example/%EA%EE%F2", []),
        ("https://x.example/%EA%EE%name%", ["name"]),
        ("https://x.example/?a=%ad%&b=%be%", ["ad", "be"]),
        ("https://x.example/?a=%date%&b=%card%", ["date", "card"]),
        ("https://x.example/?a=%F0%9F%8C%BB%id%", ["id"]),
        ("https://x.example/%E2%82%AC%AB", []),
        ("https://%host%/%path%", ["host", "path"]),
        ("viber://chat?text=%D0%9F%D1%80%D0%B8", []),
        ("https://x.example/?q=%ABSale%BB", []),
        ("https://x.example/?q=%ABSale%20now%BB&u=%name%", ["name"]),
        ("https://x.example/%DATE%20x", ["DATE"]),
        ("https://x.example/?d=%DATE%&c=%CARD%", ["DATE", "CARD"]),
        ("https://x.example/?q=%ABSale%BB%name%", ["name"]),
        ("s.ua/?q=%EA%EE%F0%EC", []),
        ("Hi %name%: www.s.ua/%EA%EE%F0%EC, магазин.укр?q=%EA%EE", ["name"]),
        ("https://x.example/?q=%u0421%u0422%u041E", []),
        ("s.ua/%u0421%u0422/%name%", ["name"]),
        ("%D0%B0%name%: https://x.example/ %u0421%town%", ["name", "town"]),
        ("https://x.example/a %name%", ["name"]),
        ("Dear %ee%Anna", ["ee"]),
        ("%ad%Be sure", ["ad"]),
    ],
)
def test_percent_encoded_bytes_are_no_variables(text, names):
    assert split_template(text)[1] == names
    assert find_variables([Viber(action=text)]) == set(names)
    assert has_variables(text) is bool(names)
    assert render(text, dict.fromkeys(names, "ok")) == "ok".join(split_template(text)[0])


@pytest.mark.parametrize("text", [ENCODED, "https://x.example/?a=x%3D1%26y", "https://x.example/%20знижка%20", "100%"])
def test_percent_encoded_bytes_are_no_misspelled_variables(text):
    assert find_misspelled_variables([Viber(text=text)]) == []


@pytest.mark.parametrize(
    "meant",
    [
        "%first name%",
        "%ім'я%",
        "%ім’я%",
        "%ім'я клієнта%",
        "%first-name%",
        "{name}",
        "{{name}}",
        "{{ ім_я }}",
        "${name}",
    ],
)
def test_what_was_probably_meant_as_a_variable_is_warned_of(meant):
    (problem,) = find_misspelled_variables(
        [Viber(text=f"%greeting% {meant}, 20% off: https://x.example/{{a}}?b=%first name")]
    )

    assert (problem.level, problem.code) == ("warning", "no-variable")
    assert problem.message.startswith(f'"{meant}" is not a variable')
    assert problem.message.endswith("between percent signs, as in %first_name%.")


@pytest.mark.parametrize(
    "text",
    [
        *("Знижка -20%, кешбек 5%", "20% off and 30% back", "100 % вовни, 5 % еластану", "%name% 20% off %surname%"),
        *("Знижка %20% на все", "Ваш номер %phone_number%"),
        *("{}", "{ }", "{1}", "a {b, c} d", "https://x.example/{name}", "-20%на все, ще -5%на інше"),
    ],
)
def test_percent_signs_and_braces_of_a_text_are_not_taken_for_variables(text):
    assert find_misspelled_variables([Viber(text=text)]) == []


def test_misspelled_variable_in_a_link_is_found():
    assert [each.code for each in find_misspelled_variables([Viber(action=f"{ENCODED}?u=%імя%")])] == ["variable-name"]


def test_link_that_the_platform_could_take_for_a_variable_is_warned_of():
    channels = [Viber(text=f"Hi %name%: {ENCODED}", action="https://x.example/?u=%name%&q=a%20b"), SMS(text="Hi")]
    problem = find_encoded_links(channels)[0]

    assert (problem.level, problem.code, problem.channel, problem.field) == (
        "warning",
        "encoded-link",
        "viber",
        "text",
    )
    assert '"%D0%"' in problem.message
    assert len(find_encoded_links(channels)) == 1


@given(path=st.text(min_size=1), name=st.sampled_from(["name", "date", "ad", "b2b", "_x"]))
def test_any_encoded_path_leaves_the_variable_behind_it(path, name):
    assert split_template(f"https://x.example/{quote(path, safe='')}?u=%{name}%")[1] == [name]


@given(st.text(alphabet="%ABDEFadn019 :/_щ"), st.sampled_from(["", "https://x.example/"]))
def test_a_text_is_put_together_as_it_was(text, start):
    assert render(start + text, {}) == start + text


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
