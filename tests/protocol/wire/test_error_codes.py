from __future__ import annotations

import pytest

from django_hyber.protocol.wire.error_codes import CODES, PERMANENT, describe


@pytest.mark.parametrize(
    ("code", "extra", "text"),
    [
        (36024, {}, "Phone number incorrect"),
        (36024, {36024: "wrong number"}, "wrong number"),
        (36024, {36024: ""}, "Phone number incorrect"),
        (36024, {7: "seven"}, "Phone number incorrect"),
        (7, {7: "seven"}, "seven"),
        (7, {}, ""),
    ],
)
def test_text_of_the_project_goes_before_the_known_one(code, extra, text):
    assert describe(code, extra) == text


def test_codes_need_no_texts_of_the_project():
    assert describe(36024) == "Phone number incorrect"
    assert describe(7) == ""


def test_codes_that_do_not_change_by_a_retry_are_known():
    assert set(CODES) > PERMANENT
