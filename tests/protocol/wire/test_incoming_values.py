from __future__ import annotations

import pytest

from django_hyber.protocol.wire.incoming_values import is_error_code, is_storable, to_identifier


@pytest.mark.parametrize("value", [36024, "36024", "E1", -1, 1.5, 2**40, float("nan")])
def test_any_number_or_text_is_the_code_of_an_error(value):
    assert is_error_code(value)


@pytest.mark.parametrize("value", [0, "0", " 0 ", 0.0, "", None, False, True, [], [1], {}])
def test_zero_and_what_can_be_no_code_are_no_error(value):
    assert not is_error_code(value)


@pytest.mark.parametrize("text", ["", "Привіт 😀", "a\n\t\x1f", "\ufffd", "\ud7ff\ue000"])
def test_every_database_stores_other_characters_wherever_they_are(text):
    for value in (text, {text: text}, [text, [text]], (text,), {"a": {"b": [text, 1, None]}}):
        assert is_storable(value)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud83d", "Привіт \udead", "\ud800\udfff"])
def test_no_database_stores_nul_and_half_characters_wherever_they_are(text):
    for value in (text, {text: "a"}, {"a": text}, ["a", [text]], ("a", text), {"a": {"b": [1, text]}}):
        assert not is_storable(value)


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, object()])
def test_what_has_no_text_has_no_such_characters(value):
    assert is_storable(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x00b", "ab"),
        (0, "0"),
        (-5, "-5"),
        (10**64 - 1, "9" * 64),
        (10**64, ""),
        pytest.param(10**5_000, "", id="too long for Python"),
        (-(10**64), ""),
        (True, ""),
        (1.0, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_an_id_is_a_text_or_a_whole_number_of_its_length(value, text):
    assert to_identifier(value) == text
