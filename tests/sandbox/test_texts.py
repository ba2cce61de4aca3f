import pytest

from django_hyber.sandbox.channels import TextTemplate, sms_segments, with_short_links


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("Ґ", 1),
        ("line\nbreak\r" + "a" * 149, 1),
    ],
)
def test_segments(text, segments):
    assert sms_segments(text) == segments


def test_escape_pair_is_not_split_between_segments():
    assert sms_segments("a" * 152 + "€" + "a" * 152) == 3


def test_links_are_counted_as_tracked_links():
    assert len(with_short_links("Look: https://shop.example/" + "a" * 200)) == len("Look: ") + 28


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("https://x.example/?q=%D0%B0%D0%B1", ()),
        ("https://x.example/?q=%ABSale%BB", ()),
        ("https://x.example/?q=%ABSale%BB&u=%name%", ("name",)),
        ("s.ua/?q=%u0421%u0422", ()),
        ("https://x.example/?d=%DATE%&c=%CARD%", ("DATE", "CARD")),
    ],
)
def test_percent_encoded_links_have_no_variables_of_their_own(text, names):
    template = TextTemplate.compile(text)

    assert template.names == names
    assert template.render({name: f"%{name}%" for name in names}) == text


def test_lone_percent_signs_stay():
    assert TextTemplate.compile("50% off, %name%! 100%").render({"name": "Zoya"}) == "50% off, Zoya! 100%"
