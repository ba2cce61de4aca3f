from __future__ import annotations

import pytest

from django_hyber.protocol import SMS, Push, Viber, WhatsApp, find_variables, render, tag_links
from django_hyber.protocol.texts.links import tag_link, tag_text

UTM = {"utm_source": "viber", "utm_campaign": "spring"}
ADDED = "utm_source=viber&utm_campaign=spring"


@pytest.mark.parametrize(
    ("link", "tagged"),
    [
        ("https://shop.example/a", f"https://shop.example/a?{ADDED}"),
        ("https://shop.example", f"https://shop.example/?{ADDED}"),
        ("HTTP://shop.example/a?b=1", f"HTTP://shop.example/a?{ADDED}&b=1"),
        ("https://shop.example/a?", f"https://shop.example/a?{ADDED}"),
        ("https://shop.example/a#top", f"https://shop.example/a?{ADDED}#top"),
        ("https://shop.example/a?b=1#top", f"https://shop.example/a?{ADDED}&b=1#top"),
        ("https://shop.example/a?#top", f"https://shop.example/a?{ADDED}#top"),
        ("https://shop.example/#/page?b=1", f"https://shop.example/?{ADDED}#/page?b=1"),
        ("https://shop.example/a?b=1?c=2", f"https://shop.example/a?{ADDED}&b=1?c=2"),
        ("https://shop.example/to/https://b.example", f"https://shop.example/to/https://b.example?{ADDED}"),
        ("https://shop.example/a?code=%code%", f"https://shop.example/a?{ADDED}&code=%code%"),
        ("https://shop.example/a#%code%", f"https://shop.example/a?{ADDED}#%code%"),
        ("https://shop.example/%D0%B0?b=1", f"https://shop.example/%D0%B0?{ADDED}&b=1"),
    ],
)
def test_parameters_come_before_the_others_and_the_fragment(link, tagged):
    assert tag_link(link, UTM) == tagged
    assert tag_link(tagged, UTM) == tagged


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/a?utm_source=mail",
        "https://shop.example/a?b=1&UTM_campaign=x#top",
        "https://shop.example/%path%",
        "https://%host%/a",
        "https://shop.example/%path%?b=1",
    ],
)
def test_a_link_with_such_parameters_or_an_unknown_path_stays_as_it_is(link):
    assert tag_link(link, UTM) == link


def test_variables_of_a_link_stay_variables_whatever_their_values():
    tagged = tag_link("https://shop.example/a?q=%word%&code=%code%", UTM)

    assert find_variables([SMS(text=tagged)]) == {"word", "code"}
    assert render(tagged, {"word": "a#b?", "code": "1"}).startswith(f"https://shop.example/a?{ADDED}&q=a#b?")


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("See https://a.example/b.", f"See https://a.example/b?{ADDED}."),
        ("(https://a.example/b)", f"(https://a.example/b?{ADDED})"),
        ("https://a.example/b_(c)", f"https://a.example/b_(c)?{ADDED}"),
        ("*https://a.example/b*, now!", f"*https://a.example/b?{ADDED}*, now!"),
        ("«https://a.example/b»", f"«https://a.example/b?{ADDED}»"),
        ("http://a.example/1 http://a.example/2", f"http://a.example/1?{ADDED} http://a.example/2?{ADDED}"),
        ("shop.example, viber://chat, %link% 50%", "shop.example, viber://chat, %link% 50%"),
    ],
)
def test_links_in_a_text_are_found_without_the_punctuation_around_them(text, tagged):
    assert tag_text(text, UTM) == tagged


def test_buttons_and_texts_are_tagged_and_pictures_are_not():
    link = "https://shop.example/a"
    viber = tag_links(Viber(text=link, img=link, caption="Go", action=link, ttl=60), UTM)
    push = tag_links(Push(text="Hi", title=link, action="shop://cart", ttl=60), UTM)

    assert (viber.text, viber.action, viber.img) == (f"{link}?{ADDED}", f"{link}?{ADDED}", link)
    assert (push.title, push.action) == (link, "shop://cart")


def test_texts_below_pictures_and_files_are_tagged_too():
    link = "https://shop.example/a"
    contents = dict.fromkeys(["img", "doc", "audio", "video"], link)
    texts = dict.fromkeys(["text", "img_name", "doc_name", "video_name"], f"See {link}")
    tagged = tag_links(WhatsApp(**contents, **texts), UTM)

    assert tagged == WhatsApp(**contents, **dict.fromkeys(texts, f"See {link}?{ADDED}"))


@pytest.mark.parametrize("options", [{"file_name": "a.pdf"}, {"thumbnail": "https://shop.example/a.png"}])
def test_the_address_of_a_file_or_video_is_left_alone(options):
    link = "https://shop.example/a"

    assert tag_links(Viber(action=link, ttl=60, **options), UTM).action == link


def test_without_parameters_nothing_changes():
    channel = SMS(text="https://shop.example/a", alpha_name="Shop", ttl=300)

    assert tag_links(channel, {}) is channel
