from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import Consent, read_consent
from django_hyber.protocol.texts import consent_words
from django_hyber.protocol.texts.consent import START_WORDS, STOP_WORDS

OUT, BACK = Consent.OUT, Consent.BACK


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_every_word_of_a_language_is_understood_in_any_case(language):
    words = (*consent_words.OPENING[language], *consent_words.WHOLE[language])

    assert [
        word for word in words if read_consent(word) is not OUT or read_consent(word.upper() + "!") is not OUT
    ] == []
    assert [word for word in consent_words.BACK[language] if read_consent(word.upper()) is not BACK] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_courtesy_changes_nothing(language):
    please = {"en": "please", "uk": "будь ласка", "ru": "пожалуйста"}[language]
    for word in (*consent_words.OPENING[language], *consent_words.WHOLE[language]):
        assert read_consent(f"{please}, {word}") is read_consent(f"{word}, {please}") is OUT


@pytest.mark.parametrize(
    "text",
    [
        "CТОП",  # a Latin C
        "SТОП",
        "SТОР",
        "ЅТОР",
        "ST0P",
        "СТ0П",
        "ＳＴＯＰ",
        "🅂🅃🄾🄿",
        "𝐒𝐓𝐎𝐏",
        "ст\u200bоп",
        "с\u2060т\u00adоп",
        "\u202eстоп\u202c",
        "с\u0336т\u0336о\u0336п\u0336",
        "сто\u0301п",
        "с т о п",
        "S.T.O.P.",
        "стоп-стоп-стоп",
        "cnjg",
        "іещз",
        "STOP-ALL",
        "'stop'",
        "S-T-O-P",
        "STOPP",
        "стооооп!!!",
        "сттттоппп",
    ],
)
def test_a_stop_word_is_understood_however_it_is_typed(text):
    assert read_consent(text) is OUT


@pytest.mark.parametrize(
    "text",
    [
        "СТОП, дякую",
        "stop please",
        "Стоп\nбільше не пишіть",
        "STOP sending me this every day at 5",
        "Відписатися від розсилки вашого магазину",
        "Please don’t send me any more messages",
        "Не надсилайте мені більше СМС, дякую!",
        "отпишите меня от рассылки",
        "больше не присылайте мне сообщения",
        "Ні, дякую. Стоп.",
        "Я вже купила в іншому магазині!\nСТОП 🙏",
        "Please stop sending me messages",
        "I want to unsubscribe",
        "Прошу відписати мене від вашої розсилки",
        "Видаліть мій номер з бази",
        "Хочу відписатись",
        "Как отписаться?",
        "удалите меня из списка",
    ],
)
def test_a_request_in_a_sentence_is_understood(text):
    assert read_consent(text) is OUT


@pytest.mark.parametrize(
    "text",
    [
        "не зупиняйтесь",
        "bus stop is near the market",
        "Where do I get off? At the bus stop.",
        "Стопка 2 шт",
        "stoop",
        "Де стоп? Я його не бачу.",
        "Скасуйте підписку на журнал",
        "Не хочу отримувати посилку",
        "Хочу підписку",
        "стоп-кадр",
        "non-stop",
        "автостоп",
        "стор. 5",
        "Cancel my order 5512",
        "End of May suits me",
        "Відміна замовлення 17",
        "Не надсилайте замовлення до понеділка",
        "please stop sending me things at 5",
        "Скасувати доставку на завтра",
        "дякую",
        "?!",
        "🛑",
        "",
        " \n",
    ],
)
def test_an_ordinary_sentence_changes_nothing(text):
    assert read_consent(text) is None


@pytest.mark.parametrize("text", ["не старт", "start date?", "Старт о п'ятій?", "do not start", "restart"])
def test_only_a_start_word_alone_brings_back(text):
    assert read_consent(text) is None


@pytest.mark.parametrize("text", ["START", "Старт!", "start, please", "СTАРT", "/start", "UNSTOP", "Підписатися"])
def test_a_start_word_brings_back(text):
    assert read_consent(text) is BACK


def test_no_word_means_both():
    assert [word for word in START_WORDS if read_consent(word, STOP_WORDS, ()) is not None] == []


def test_words_of_a_project_replace_the_built_in_ones_and_count_only_alone():
    words = ["no more, please", "досить уже", "!"]

    assert read_consent("No more please!", words) is OUT
    assert read_consent("Досить уже", words) is OUT
    assert read_consent("No more please, until Monday", words) is None
    assert read_consent("stop", words) is None
    assert read_consent("!", words) is None


@given(st.text(), st.sampled_from(["стоп", "STOP", "відписатися"]))
def test_what_follows_the_first_word_does_not_matter(rest, word):
    assert read_consent(f"{word} {rest}") is OUT


@given(st.text())
def test_any_text_is_read(text):
    assert read_consent(text) in {None, OUT, BACK}
