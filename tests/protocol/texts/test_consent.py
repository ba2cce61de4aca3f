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
    words = (*consent_words.OPENING[language], *consent_words.CLAUSES[language], *consent_words.WHOLE[language])

    assert [
        word for word in words if read_consent(word) is not OUT or read_consent(word.upper() + "!") is not OUT
    ] == []
    assert [word for word in consent_words.BACK[language] if read_consent(word.upper()) is not BACK] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_courtesy_changes_nothing(language):
    please = {"en": "please", "uk": "будь ласка", "ru": "пожалуйста"}[language]
    words = (*consent_words.OPENING[language], *consent_words.CLAUSES[language], *consent_words.WHOLE[language])

    assert [word for word in words if read_consent(f"{please} {word}") is not OUT] == []
    assert [word for word in words if read_consent(f"{word} {please}") is not OUT] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_a_clear_request_is_found_beside_other_sentences(language):
    other = {"en": "I moved to Lviv", "uk": "Я переїхала до Львова", "ru": "Я переехала во Львов"}[language]
    clear = consent_words.CLAUSES[language]

    assert [words for words in clear if read_consent(f"{other}. {words}!") is not OUT] == []
    assert [words for words in clear if read_consent(f"{words}, {other}") is not OUT] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_what_may_be_about_an_order_opts_out_only_alone(language):
    order = {"en": "Order 17", "uk": "Замовлення 17", "ru": "Заказ 17"}[language]

    assert [words for words in consent_words.WHOLE[language] if read_consent(f"{order}. {words}.") is not None] == []


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_a_word_that_also_means_write_back_asks_for_an_answer_beside_an_addressee(language):
    me = {"uk": "мене", "ru": "меня"}[language]
    for word in consent_words.WRITE_BACK[language]:
        assert read_consent(word) is read_consent(f"{word} {me}") is OUT
        for whom in consent_words.TO_WHOM[language]:
            assert read_consent(f"{word} {whom}") is read_consent(f"{whom} {word}!") is None


@pytest.mark.parametrize("text", [*consent_words.SIGNS, "❌❌❌", "🛑 !!", "⛔️", "👎🚫"])
def test_a_sign_without_words_opts_out(text):
    assert read_consent(text) is OUT


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
        "СТО П",
        "с.топ",
        "un subscribe",
        "стоп123",
        "STOP 1",
        "Delete",
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
        "Не треба більше смс",
        "Зупиніть розсилку",
        "Зупинити",
        "Припинити",
        "Відказуюсь",
        "Остановите рассылку!",
        "Остановить",
        "Ок, стоп",
        "Re: СТОП",
        "Ответ: СТОП",
        "Reply STOP",
        "будьте добры стоп",
        "Не потрібні ваші повідомлення",
        "не надо больше смс",
        "больше не пишите",
        "хватит присылать мне смс",
        "досить слати рекламу!",
        "Перестаньте мені писати",
        "Не цікавить, не пишіть",
        "Ви вже дістали! Відпишіть мене!",
        "Ні. Не надсилайте більше.",
        "Доброго дня. Видаліть мене з розсилки, будь ласка",
        "відпишіть мене на viber",
        "Прошу відписати від viber",
        "не пишіть ❌",
        "нет, хватит",
        "no more texts",
        "How do I stop these messages?",
        "I don't want to receive these messages",
        "Як вимкнути розсилку?",
        "отзываю согласие",
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
        "Відпишіть мені, будь ласка",
        "Відпишіть мені на вайбер",
        "Відпишіть на viber",
        "відпишіть сюди, коли буде доставка",
        "Отпишитесь мне пожалуйста",
        "отпишите сюда",
        "Не треба",
        "не надо доставку",
        "Не треба дзвонити",
        "Хватит ли на всех?",
        "Досить однієї коробки",
        "Чи досить цього?",
        "Чому не надсилаєте смс?",
        "Не беспокойтесь",
        "Можна відмовитись від доставки?",
        "Видаліть із замовлення сир",
        "Как отменить заказ?",
        "Скасуйте моє замовлення",
        "no, thanks",
        "Can I cancel?",
        "remove the onions",
        "❌ не той колір",
        "👎",
        "✅",
        "?!",
        "",
        " \n",
    ],
)
def test_an_ordinary_sentence_changes_nothing(text):
    assert read_consent(text) is None


@pytest.mark.parametrize(
    "text", ["не старт", "no start", "Ні, підписка", "start date?", "Старт о п'ятій?", "do not start", "restart"]
)
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
