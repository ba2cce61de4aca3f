"""The words by which people opt out and come back, by language. How a text is compared with them is in ``consent``."""

from __future__ import annotations

from collections.abc import Mapping

#: A reply that begins with one of these opts out: they have no other meaning at the beginning of a sentence.
OPENING: Mapping[str, tuple[str, ...]] = {
    "en": ("stop", "stopall", "unsubscribe", "unsub", "optout"),
    # "cnjg" and "іещз" are "стоп" and "stop" in the other keyboard layout.
    "uk": ("стоп", "відписатися", "відписатись", "відписуюсь", "відписуюся", "іещз", "cnjg"),
    "ru": ("стоп", "отписаться", "отписываюсь", "ыещз"),
}
#: A reply that is nothing but one of these opts out. They also begin other requests: "Cancel my order".
WHOLE: Mapping[str, tuple[str, ...]] = {
    "en": (
        "end",
        "quit",
        "cancel",
        "revoke",
        "stop all",
        "opt out",
        "opt me out",
        "remove",
        "do not send",
        "dont send",
        "do not write",
        "dont write",
        "do not text",
        "dont text",
        "leave alone",
    ),
    # "Відпишіть" also asks for an answer.
    "uk": (
        "відписати",
        "відпишіть",
        "відпишіться",
        "відписка",
        "відмовляюсь",
        "відмовляюся",
        "відмова",
        "відміна",
        "відмінити",
        "скасувати",
        "скасуйте",
        "відключити",
        "відключіть",
        "вимкнути",
        "вимкніть",
        "припиніть",
        "досить",
        "видаліть",
        "видаліть номер",
        "не надсилайте",
        "не надсилати",
        "не надсилай",
        "не присилайте",
        "не присилати",
        "не відправляйте",
        "не шліть",
        "не пишіть",
        "не турбуйте",
        "не хочу отримувати",
        "припиніть надсилати",
    ),
    "ru": (
        "отписать",
        "отпишите",
        "отпишитесь",
        "отписка",
        "отмена",
        "отменить",
        "отказ",
        "отказываюсь",
        "отключить",
        "отключите",
        "прекратите",
        "хватит",
        "удалите",
        "удалите номер",
        "не присылайте",
        "не присылать",
        "не отправляйте",
        "не отправлять",
        "не шлите",
        "не пишите",
        "не беспокойте",
        "не хочу получать",
        "прекратите присылать",
    ),
}
#: A reply that is nothing but one of these takes its sender off the opt-out list.
BACK: Mapping[str, tuple[str, ...]] = {
    "en": ("start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume"),
    "uk": ("старт", "підписатися", "підписатись", "підпишіть", "підписка", "підписуюсь", "підписуюся", "відновити"),
    "ru": ("старт", "подписаться", "подпишите", "подписка", "подписываюсь", "возобновить"),
}
#: Words that change nothing about it: "Please do not send me any more messages".
FILLERS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("please", "pls", "thanks", "thank", "you", "hello", "hi", "me", "to", "my", "it", "this", "these", "any"),
        *("more", "again", "all", "now", "sms", "texts", "message", "messages", "number", "from", "the", "list"),
    ),
    "uk": (
        *("будь", "ласка", "прошу", "дякую", "добрий", "день", "вітаю", "мені", "мене", "мій", "мого", "від", "на"),
        *("більше", "більш", "ваші", "ваших", "цю", "ці", "цих", "всі", "все", "вже", "нічого", "сюди", "смс", "sms"),
        *("повідомлення", "повідомлень", "розсилку", "розсилки", "розсилок", "реклами", "рекламу", "спам", "viber"),
    ),
    "ru": (
        *("пожалуйста", "прошу", "спасибо", "здравствуйте", "мне", "меня", "мой", "моего", "от", "на", "больше"),
        *("ваши", "ваших", "эту", "эти", "этих", "все", "уже", "ничего", "сюда", "смс", "sms", "вайбер"),
        *("сообщения", "сообщений", "рассылку", "рассылки", "рассылок", "рекламы", "рекламу", "спам"),
    ),
}
