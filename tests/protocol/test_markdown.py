from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import mark_links, parse_markdown

STYLES = ("bold", "italic", "strike", "mono", "link")


def read(text):
    """The runs in short: ("text", "style style")."""
    return [(run.text, " ".join(name for name in STYLES if getattr(run, name))) for run in parse_markdown(text)]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("", []),
        ("Hi", [("Hi", "")]),
        ("*Hi*", [("Hi", "bold")]),
        (
            "Hi *Anna*, ~10~ _8_",
            [("Hi ", ""), ("Anna", "bold"), (", ", ""), ("10", "strike"), (" ", ""), ("8", "italic")],
        ),
        ("```x = *1*```", [("x = *1*", "mono")]),
        ("*now _or_ never*", [("now ", "bold"), ("or", "bold italic"), (" never", "bold")]),
        ("*-20 %* until", [("-20 %", "bold"), (" until", "")]),
        ("2*3*4", [("2*3*4", "")]),
        ("snake_case_name", [("snake_case_name", "")]),
        ("* not bold *", [("* not bold *", "")]),
        ("*not\nbold*", [("*not\nbold*", "")]),
        ("*unclosed", [("*unclosed", "")]),
        ("**", [("**", "")]),
        ("Go: https://shop.example/a_b_c.", [("Go: ", ""), ("https://shop.example/a_b_c", "link"), (".", "")]),
        ("*see https://shop.example*", [("see ", "bold"), ("https://shop.example", "bold link")]),
        ("*Привіт*!", [("Привіт", "bold"), ("!", "")]),
    ],
)
def test_marks_become_styles(text, runs):
    assert read(text) == runs


@given(st.text(st.sampled_from("*_~` \nab"), max_size=60))
def test_only_marks_are_ever_lost(text):
    shown = "".join(run.text for run in parse_markdown(text))
    assert [item for item in shown if item not in "*_~`"] == [item for item in text if item not in "*_~`"]


def test_in_an_sms_only_links_stand_out():
    runs = mark_links("*Hi* https://shop.example/a, bye")
    assert [(run.text, run.link) for run in runs] == [
        ("*Hi* ", False),
        ("https://shop.example/a", True),
        (", bye", False),
    ]


@pytest.mark.parametrize("piece", ["```", "*a", "https://", "_*~"])
def test_hostile_texts_are_read_in_time(piece):
    started = time.process_time()
    parse_markdown(piece * 1_500)
    assert time.process_time() - started < 1
