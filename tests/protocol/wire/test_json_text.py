from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol.wire.json_text import TooManyItems, read_items, read_json, write_json

MOST = 3
LONG = "9" * (sys.get_int_max_str_digits() + 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=MOST) | st.dictionaries(st.text(), children, max_size=MOST),
    max_leaves=8,
)


@pytest.mark.parametrize("read", [read_json, lambda body: read_items(body, MOST)], ids=["whole", "by item"])
@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-16", "utf-32"])
@given(value=JSON, indent=st.sampled_from([None, 0, 1]))
def test_any_json_is_read_as_it_was_written(read, encoding, value, indent):
    text = json.dumps(value, ensure_ascii=False, indent=indent)

    assert read(text.encode(encoding) if encoding else text) == value


@pytest.mark.parametrize(
    "text", ["[]", " [ ] ", "\n[1]\t", "[1,2]", "[ 1 , 2 , 3 ]", ' {"a": [1, 2, 3, 4]}', "7", '"["']
)
def test_space_may_be_anywhere(text):
    assert read_items(text, MOST) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "[", "[ ", "[1", "[1,", "[1 2]", "[1,,]", "[,]", "[,1]"),
        *("[1;2]", "[1]]", "[1] 2", "[1]X", "[]]", "]", "[1}", "{"),
    ],
)
def test_broken_json_is_an_error(text):
    for read in (json.loads, lambda text: read_items(text, MOST)):
        with pytest.raises(json.JSONDecodeError) as caught:
            read(text)
        assert caught.value.doc == text


@pytest.mark.parametrize(
    ("text", "message", "position"), [("[1 2]", "Expecting ',' delimiter", 3), ("[1] 2", "Extra data", 4)]
)
def test_error_has_the_message_and_the_place_of_python(text, message, position):
    for read in (json.loads, lambda text: read_items(text, MOST)):
        with pytest.raises(json.JSONDecodeError) as caught:
            read(text)
        assert (caught.value.msg, caught.value.pos) == (message, position)


@pytest.mark.parametrize("text", ["[1,]", "[1 , ] ", "[1]\0", "[1]\0\0"])
def test_what_programs_leave_behind_the_last_item_is_ignored(text):
    assert read_items(text, MOST) == [1]
    assert read_items(text.encode(), MOST) == [1]


@pytest.mark.parametrize("read", [read_json, lambda body: read_items(body, MOST)], ids=["whole", "by item"])
@pytest.mark.parametrize("character", ["\n", "\r\n", "\t", "\x00", "\x1f"])
def test_control_characters_in_a_text_are_part_of_it(read, character):
    assert read(f'[{{"text": "СТОП{character}Дякую"}}]') == [{"text": f"СТОП{character}Дякую"}]
    assert read(f'["СТОП{character}", {LONG}]') == [f"СТОП{character}", LONG]


OTHERS = ["СТОП", "Відпишіть мене", "❤️"]


def beside_others(damaged):
    """A body with this text first, and what is read of it."""
    texts = [f'"{text}"'.encode() for text in OTHERS]
    return read_items(b"[" + b", ".join([b'"' + damaged + b'"', *texts]) + b"]", len(OTHERS) + 1)


@pytest.mark.parametrize(
    ("damaged", "text"),
    [
        (b"ok \xed\xa0\xbd\xed\xb8\x80", "ok 😀"),
        (b"ok\xed\xa0\xbd", "ok\ufffd"),
        (b"stop\xf0\x9f", "stop\ufffd"),
        ("Дякую".encode() + b"\xf0\x9f", "Дякую\ufffd"),
        ("Дякую".encode() + b"\xd0", "Дякую\ufffd"),
        (b"\xff", "я"),
        (b"a\x98", "a\ufffd"),
        ("Відпишіть".encode("cp1251"), "Відпишіть"),
        ("Їжак і ґава: ні".encode("cp1251"), "Їжак і ґава: ні"),
        # The first two letters are, in UTF-8, another one.
        ("Він.".encode("cp1251"), "Він."),
    ],
)
def test_bytes_of_one_text_change_no_other(damaged, text):
    assert beside_others(damaged) == [text, *OTHERS]


def test_a_body_in_windows_1251_is_understood():
    texts = ["СТОП", "Відпишіть мене", "stop, дякую", "Ґудзик", "ok"]
    body = json.dumps(texts, ensure_ascii=False).encode("cp1251")

    assert read_items(body, len(texts)) == texts


def test_a_damaged_body_with_a_byte_order_mark_is_read():
    assert read_items(b'\xef\xbb\xbf["stop", "\xf0\x9f"]', MOST) == ["stop", "\ufffd"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_half_an_emoji_costs_no_other_text(encoding):
    body = '["СТОП", "\ud83d"]'.encode(encoding, "surrogatepass")

    assert read_items(body, MOST)[0] == "СТОП"


def test_no_more_than_the_most_items_are_read():
    assert read_items("[1, 2, 3]", MOST) == [1, 2, 3]
    # In the last, the rest is not looked at.
    for text in ("[1, 2, 3, 4]", " \n[1, 2, 3, 4]", "[1, 2, 3, nonsense"):
        with pytest.raises(TooManyItems):
            read_items(text, MOST)


@pytest.mark.parametrize("read", [read_json, lambda body: read_items(body, MOST)], ids=["whole", "by item"])
def test_what_python_does_not_read_as_a_number_is_text(read):
    assert read(f'[1, {LONG}, {{"a": -{LONG}}}]') == [1, LONG, {"a": f"-{LONG}"}]
    assert read("[NaN, Infinity, -Infinity]") == ["NaN", "Infinity", "-Infinity"]
    assert read(f"[NaN, {LONG}]") == ["NaN", LONG]
    assert read(LONG) == LONG


def test_too_many_items_are_refused_after_a_number_that_is_too_long():
    with pytest.raises(TooManyItems):
        read_items(f"[{LONG}, 2, 3, 4]", MOST)


@given(value=JSON)
def test_any_value_is_written_as_json_does_it(value):
    assert write_json(value) == json.dumps(value, ensure_ascii=False)


def test_value_of_any_depth_is_written():
    depth = sys.getrecursionlimit() * 2
    value = ["ґ", {1}]
    for number in range(depth):
        value = [value, number, {}] if number % 2 else {"ї": value, 5: []}
    written = write_json(value)

    assert written.startswith('[{"ї": [{"ї": ')
    assert written.count('["ґ", "{1}"]') == 1
    assert written.endswith(f', {depth - 3}, {{}}], "5": []}}, {depth - 1}, {{}}]')
    assert written.count("[") == written.count("]")
    assert written.count("{") == written.count("}")


def test_value_that_json_does_not_know_is_written_as_text():
    assert write_json({"path": {1}}) == '{"path": "{1}"}'
