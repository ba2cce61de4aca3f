from __future__ import annotations

import pytest

from django_hyber.protocol.channels.content import FieldRule
from django_hyber.protocol.channels.fields import check_texts, check_value

RULES = [
    FieldRule(kind="text"),
    FieldRule(kind="text", max_length=5),
    FieldRule(kind="text", max_length=5, required=True),
    FieldRule(kind="url", max_length=20),
    FieldRule(kind="choice", choices=("all", "phone")),
]
MANY = [
    [],
    ["all"],
    ["all", "phone"],
    ["a" * 5],
    ["a" * 6, "all"],
    ["all", "a" * 6, "b" * 7],
    ["all", " "],
    [""],
    ["https://a.example"],
    ["https://a.example", "https://a.example/long", "a.example"],
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@pytest.mark.parametrize("texts", MANY, ids=len)
def test_of_many_texts_the_same_is_found_as_of_each(rule, texts):
    assert list(check_texts(rule, texts)) == [found for text in texts if (found := check_value(rule, text))]


def test_length_is_checked_unless_the_text_is_still_a_template():
    rule = FieldRule(kind="text", max_length=5)

    assert check_value(rule, "a" * 5) is None
    assert check_value(rule, "a" * 6).code == "too-long"
    assert check_value(rule, "%name_of_somebody%", templated=True) is None
    assert check_value(rule, 5, templated=True).code == "wrong-type"
