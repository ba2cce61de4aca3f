from __future__ import annotations

import time
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import Consent, read_consent
from django_hyber.protocol.texts import consent_words
from django_hyber.protocol.texts.consent import LONGEST, START_WORDS, STOP_WORDS, is_start_word, is_stop_word

OUT, BACK = Consent.OUT, Consent.BACK


LANGUAGES = ["en", "uk", "ru", "pl", "latin"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_language_is_understood_in_any_case(language):
    words = (*consent_words.OPENING[language], *consent_words.CLAUSES[language], *consent_words.WHOLE[language])

    assert [
        word for word in words if read_consent(word) is not OUT or read_consent(word.upper() + "!") is not OUT
    ] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru", "pl"])
def test_every_start_word_of_a_language_is_understood_in_any_case(language):
    assert [word for word in consent_words.BACK[language] if read_consent(word.upper()) is not BACK] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_courtesy_changes_nothing(language):
    please = {"en": "please", "uk": "будь ласка", "ru": "пожалуйста", "pl": "proszę", "latin": "pozhaluysta"}[language]
    words = (*consent_words.OPENING[language], *consent_words.CLAUSES[language], *consent_words.WHOLE[language])

    assert [word for word in words if read_consent(f"{please} {word}") is not OUT] == []
    assert [word for word in words if read_consent(f"{word} {please}") is not OUT] == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *((text, OUT) for text in ("Не пишіть, телефонуйте", "Краще дзвоніть, не пишіть", "Не пишите, звоните")),
        *((text, OUT) for text in ("Don't text, call", "Please call, don't text")),
        *((text, None) for text in ("Не дзвоніть, пишіть", "Не телефонуйте", "Не звоните, пишите")),
        ("Don't call, text me", None),
    ],
)
def test_who_asks_for_calls_instead_wants_no_messages_and_who_refuses_calls_gets_them(written, expected):
    assert read_consent(written) is expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_clear_request_is_found_beside_other_sentences(language):
    cyrillic = {"uk": "Я переїхала до Львова", "ru": "Я переехала во Львов"}
    latin = {"en": "I moved to Lviv", "pl": "Mieszkam w Lublinie", "latin": "Ya pereehala vo Lvov"}
    other = {**cyrillic, **latin}[language]
    clear = consent_words.CLAUSES[language]

    assert [words for words in clear if read_consent(f"{other}. {words}!") is not OUT] == []
    assert [words for words in clear if read_consent(f"{words}, {other}") is not OUT] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_may_be_about_an_order_opts_out_only_alone(language):
    cyrillic = {"uk": "Замовлення 17", "ru": "Заказ 17"}
    order = {**cyrillic, "en": "Order 17", "pl": "Zamówienie 17", "latin": "Zakaz 17"}[language]

    assert [words for words in consent_words.WHOLE[language] if read_consent(f"{order}. {words}.") is not None] == []


@pytest.mark.parametrize("language", ["en", "uk", "ru", "pl"])
def test_what_only_refuses_changes_nothing_and_stands_beside_any_stop_word(language):
    refusals, stops = consent_words.NO_NEED[language], consent_words.WHOLE[language]

    assert [words for words in refusals if read_consent(words) is not None] == []
    assert [(one, other) for one in refusals for other in stops if read_consent(f"{one}. {other}") is not OUT] == []


@pytest.mark.parametrize("words", [*chain.from_iterable(consent_words.OTHER_MEANINGS.values())])
def test_what_has_another_meaning_than_a_stop_word_changes_nothing(words):
    assert read_consent(f"{words} 5") is read_consent(f"Купон: {words}, дякую. I will be late") is None


@pytest.mark.parametrize("language", ["uk", "ru", "latin"])
def test_a_word_that_also_means_write_back_asks_for_an_answer_beside_an_addressee(language):
    me = {"uk": "мене", "ru": "меня", "latin": "menya"}[language]
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
        *("стоп-стоп дякую", "СТОП- дякую", "_стоп_", "сттооооп", "стопстопстопстоп"),
        "cnjg",
        "іещз",
        "STOP-ALL",
        "'stop'",
        "S-T-O-P",
        "СТО П",
        "с.топ",
        "un subscribe",
        "ві дп ис ат ис я",
        "стоп123",
        "STOP 1",
        "Delete",
        "STOPP",
        "stooop",
        "ΣΤΟΡ",
        "стооооп!!!",
        "сттттоппп",
        "стооп",
        "ССТОП",
        "S T O P please",
        "Прошу С Т О П",
        "CTOP",  # in Latin letters only
        "ctop",
        "Ctop!",
        "C.T.O.P",
        "CTOP, дякую за все",
        "CTOP я вже купила деінде",
        "Я вже купила деінде. CTOP",
        "СТОР",  # in Cyrillic letters only
        "Стор!",
        "СТОР, дякую",
        "🆂🆃🅾🅿",
        "🅢🅣🅞🅟",
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
        "Не пишіть і не дзвоніть",
        "Не дзвоніть і не пишіть мені більше!",
        "Не пишіть на цей номер",
        "Не пишіть мені більше ніколи",
        "Будь ласка, приберіть мій номер телефону з вашої бази",
        "Видаліть мене з бази даних",
        "Видаліть мої дані",
        "Не бажаю отримувати рекламні повідомлення",
        "Не потрібна мені ваша реклама",
        "Ні, не потрібно. Відпишіть.",
        "Не цікавить, відписка",
        "Відкликаю свою згоду",
        "Відкликаю згоду на обробку персональних даних",
        "Скасування підписки",
        "Пишу СТОП",
        'Слово "СТОП"',
        "1 стоп",
        "Олена: СТОП",
        "Олена — СТОП",
        "Ви вже дістали – відпишіть мене",
        "Набридли 😡 не пишіть",
        "Дякую))) не пишіть більше",
        "Видаліть цей номер з вашої бази",
        "Не звоните и не пишите",
        "Не пишите мне больше никогда",
        "Удалите мой номер из вашей базы данных",
        "Не нужна ваша реклама",
        "Не нужно. Отпишите.",
        "отзываю свое согласие",
        "I'd like to unsubscribe",
        "I would like to opt out, please",
        "Remove me from your mailing list",
        "Delete my number from your database",
        "Do not call or text me",
        "Please don't text me ever again",
        "Not interested. Remove.",
        "ne pishite",
        "Ne pishite mne bolshe!",
        "otpishite",
        "otpishite menya pozhaluysta",
        "Vidpyshit mene vid rozsylky",
        "Дивіться https://shop.ua/sale?x=1. Не пишіть",
        "Не пишіть https://shop.ua/sale",
        *("Не пи\u200bшіть", "Не пиші\u0301ть", "Не пи\u20e3шіть"),
        "Dziękuję, mam już dość, oraz wypiszcie mnie z listy",
    ],
)
def test_a_request_in_a_sentence_is_understood(text):
    assert read_consent(text) is OUT


@pytest.mark.parametrize(
    "mark", [*".!?;:…),\n", ",,", "...", "☹", "✌️", "😡", "🙏🏽", " - ", " – ", " — ", " -- ", ",що не так?\n"]
)
def test_a_mark_ends_a_clause(mark):
    assert read_consent("Ви вже дістали відпишіть мене") is None
    assert read_consent(f"Ви вже дістали{mark} відпишіть мене") is OUT


@pytest.mark.parametrize("apostrophe", "'\u2018\u2019\u02bc`´")
def test_any_apostrophe_is_part_of_a_word(apostrophe):
    assert read_consent(f"Please don{apostrophe}t text me") is OUT


def test_polish_words_are_understood_without_their_marks():
    words = [
        *consent_words.OPENING["pl"],
        *consent_words.WHOLE["pl"],
        *consent_words.BACK["pl"],
        "nie życzę sobie reklam",
    ]
    plain = str.maketrans("ąćęłńóśźż", "acelnoszz")

    assert [word for word in words if read_consent(word.translate(plain)) is not read_consent(word)] == []


@pytest.mark.parametrize("text", ["Не пишіть, щось мені вже не цікаво", "Відпишіть мене,якщо можна"])
def test_only_a_whole_word_is_a_condition(text):
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
        "не пишіть про доставку",
        "Не пишіть і не телефонуйте кур'єру",
        "Не дзвоніть",
        "Не дзвоніть, я на роботі",
        "Не дзвоніть і не стукайте",
        "Не телефонуйте, напишіть",
        "не пишіть номер",
        "кінцева зупинка",
        "Зупинка: кінцева, будинок 5",
        "Слово стоп у вашій рекламі дратує",
        "Видаліть дані карти",
        "Видаліть телефон з кошика",
        "Приберіть номер будинку з адреси",
        "Відмова від телефону",
        "Видаліть цей",
        "Скасуйте мої",
        "Кнопка (стоп) не працює",
        "Скасуйте, будь ласка, і цей",
        "Відміна телефону",
        "Відпишіть: коли доставка?",
        "Не потрібно, доставку скасуйте",
        "Не треба, дякую",
        "мої дані змінились",
        "ваша реклама",
        "1 стопка",
        "2 стоп-сигнали",
        "Стопа 25 см",
        "стор 5",
        "сто р",
        "100 грн (сто р.)",
        "Час 10:30",
        "не пишите про доставку",
        "конечная остановка",
        "Не звоните",
        "Удалите товар из корзины",
        "отмена телефона",
        "stop by the shop",
        "Please stop by the shop tomorrow",
        "I will stop by",
        "5 stop lights",
        "Where does the bus stop?",
        "The next stop: Lviv",
        "Don't stop",
        "Please don't stop sending",
        "My data plan",
        "Delete my order",
        "Remove my number 5 from the order",
        "Дивіться https://stop.ua/sale",
        "www.stop.ua",
        "olena@stop.com",
        *(f"Пошта: stop{mark}olena@shop.ua" for mark in "._+-"),
        *("Пошта: olena@shop.stop", "Сайт: www.shop.stop"),
        "bus  stop",
        "Не пишіть,поки не привезете",
        "Дивіться http://stop.ua",
        "end5",
        "стоп\u2010кадр",
        "ne pishite pro dostavku",
        "ne znayu",
        "otpishite mne",
        "та",
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


@pytest.mark.parametrize("text", ["Підписка ❌", "старт 🚫", "Старт ⛔", "🛑 start", "✖️ підписатися"])
def test_a_start_word_beside_a_stop_sign_does_not_bring_back(text):
    assert read_consent(text) is None


def test_a_start_word_beside_a_sign_of_the_project_does_not_bring_back():
    assert read_consent("start 👎", ["👎"]) is None
    assert read_consent("start 👎", []) is BACK


@pytest.mark.parametrize("text", ["Старт?", "Підписатися？", "Хочу підписатися?", "start?!"])
def test_a_question_does_not_bring_back(text):
    assert read_consent(text) is None


@pytest.mark.parametrize("text", ["Підписка", "подписка", "Підпишіть", "подпишите", "Підпиши", "Підпишіть договір"])
def test_a_word_that_may_mean_something_else_does_not_bring_back(text):
    assert read_consent(text) is None


@pytest.mark.parametrize(
    "text",
    ["START", "Старт!", "start, please", "СTАРT", "/start", "UNSTOP", "Старт ❤️", "Підпишіть мене", "Підписатися"],
)
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


@pytest.mark.parametrize(
    ("word", "is_start", "is_stop"),
    [("basta", True, True), ("❌", False, True), ("!", False, False), ("", False, False), ("$", False, False)],
)
def test_only_words_and_signs_can_be_replies(word, is_start, is_stop):
    assert (is_start_word(word), is_stop_word(word)) == (is_start, is_stop)


def test_a_word_of_a_project_may_be_a_whole_sentence():
    sentence = "Знижки на теплі куртки взимку не хочу бачити"

    assert read_consent(f"{sentence}, дякую!", [sentence]) is OUT
    assert read_consent(f"Так. {sentence} знову", [], [sentence]) is BACK
    assert read_consent(f"{sentence} довго", [sentence], [sentence]) is None


@pytest.mark.parametrize(
    "text", ["Дякую за все. " * 300 + "СТОП", "Дякую за все.\n" * 300 + "Не пишіть\n" + "Бувайте. " * 99]
)
def test_a_request_is_found_anywhere_in_a_long_text(text):
    assert read_consent(text) is OUT


def test_only_the_beginning_of_a_text_that_no_messenger_sends_is_read():
    text = "Дякую за все\n" + " " * (LONGEST - 17) + "СТОП"

    assert len(text) == LONGEST
    assert read_consent(text) is OUT
    assert read_consent(f" {text}") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ВІДПИШІТЬ МЕНЕ, ЯКЩО МОЖНА", OUT),
        ("НЕ ПИШІТЬ, ПОКИ НЕ ПРИВЕЗЕТЕ", None),
        ("ДИВІТЬСЯ HTTPS://STOP.UA", None),
        ("WWW.STOP.UA", None),
    ],
)
def test_sentences_in_capitals_are_read_as_others(text, expected):
    assert read_consent(text) is expected


@pytest.mark.parametrize(
    "piece", ["x", " ", "я ", "1", "a1", "я1", "не. ", "ні, стопа ", "@", "www.", "сст", "слово1 не. "]
)
def test_a_text_made_to_be_slow_is_read_in_no_time(piece):
    started = time.process_time()
    read_consent("x" + piece * 100_000)

    assert time.process_time() - started < 2


@given(st.text(), st.sampled_from(["стоп", "STOP", "відписатися"]))
def test_what_follows_the_first_word_does_not_matter(rest, word):
    assert read_consent(f"{word} {rest}") is OUT


@given(st.text())
def test_any_text_is_read(text):
    assert read_consent(text) in {None, OUT, BACK}
