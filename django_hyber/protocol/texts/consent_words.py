"""The words by which people opt out and come back, by language. How a text is compared with them is in ``consent``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

#: A reply that begins with one of these opts out: they have no other meaning at the beginning of a sentence.
OPENING: Mapping[str, tuple[str, ...]] = {
    "en": ("stop", "stopall", "unsubscribe", "unsub", "optout"),
    # "cnjg" and "іещз" are "стоп" and "stop" in the other keyboard layout.
    "uk": ("стоп", "відписатися", "відписатись", "відписуюсь", "відписуюся", "іещз", "cnjg"),
    "ru": ("стоп", "отписаться", "отписываюсь", "ыещз"),
    # Ukrainian and Russian in Latin letters.
    "latin": ("vidpysatysia", "vidpysatysya", "vidpysatys", "vidpisatisya", "otpisatsya", "otpisatsia", "otpisatsa"),
}
#: Words that look like one of OPENING, or begin with one, and mean something else unless they are the whole reply.
OTHER_MEANINGS: Mapping[str, tuple[str, ...]] = {"en": ("stop by", "stop off", "stop over"), "uk": ("стор",)}


def _each(*parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the phrases of one word or phrase of each part."""
    return tuple(" ".join(phrase) for phrase in product(*parts))


_TEXTS_EN = ("messages", "message", "texts", "sms", "spam", "ads", "newsletter")
_TEXTS_UK = (
    *("смс", "sms", "повідомлень", "повідомлення", "розсилок", "розсилки", "розсилку"),
    *("реклами", "рекламу", "спаму", "спам"),
)
_TEXTS_RU = (
    *("смс", "sms", "сообщений", "сообщения", "рассылок", "рассылки", "рассылку"),
    *("рекламы", "рекламу", "спама", "спам"),
)
_ADS_UK = ("реклама", "розсилка")
_ADS_RU = ("реклама", "рассылка")
#: Whom or what somebody wants to have removed from a list.
_ME_EN = ("me", "my number", "number", "phone number", "my data", "personal data", "my details")
_DATA_UK = ("дані", "персональні дані", "особисті дані")
_DATA_RU = ("данные", "персональные данные", "личные данные")
_ME_UK = (
    *("мене", "номер", "номер телефону", "цей номер", "мій телефон"),
    *(*_DATA_UK, *_each(("мої",), _DATA_UK)),
)
_ME_RU = (
    *("меня", "номер", "номер телефона", "этот номер", "мой телефон"),
    *(*_DATA_RU, *_each(("мои",), _DATA_RU)),
)
_NOT_WRITE_UK = _each(("не",), ("пишіть", "пиши", "турбуйте", "надсилайте", "присилайте", "шліть"))
_NOT_CALL_UK = _each(("не",), ("дзвоніть", "дзвони", "телефонуйте"))
_NOT_WRITE_RU = _each(("не",), ("пишите", "пиши", "беспокойте", "присылайте", "шлите"))
_NOT_CALL_RU = _each(("не",), ("звоните", "звони"))
_ENOUGH_UK = ("досить", "годі", "перестаньте", "припиніть", "не треба", "не потрібно", "не варто")
_ENOUGH_RU = ("хватит", "довольно", "перестаньте", "прекратите", "не надо", "не нужно", "не стоит")
#: A clause that is nothing but one of these opts out. They are about messages, and never about an order.
CLAUSES: Mapping[str, tuple[str, ...]] = {
    "en": (
        *_each(("do not", "dont", "never"), ("write", "text", "message", "contact", "spam", "disturb")),
        *_each(("do not send", "dont send", "do not want", "dont want", "no more", "cancel"), _TEXTS_EN),
        *_each(("do not want", "dont want"), ("receive", "get"), _TEXTS_EN),
        *_each(("stop", "quit"), ("texting", "messaging", "writing", "spamming", "contacting")),
        *_each(("do not", "dont"), ("call or", "call and"), ("write", "text", "message")),
        *_each(("do not", "dont"), ("write", "text", "message"), ("or call", "and call")),
        *_each(("do not call", "dont call"), ("do not", "dont"), ("write", "text", "message")),
        *_each(("do not", "dont"), ("write", "text", "message"), ("do not call", "dont call")),
        *_each(
            ("how", "how do", "how can", "want", "would like", "id like", "like", "need", "wish"),
            ("opt out", "unsubscribe", "stop messages", "stop texts"),
        ),
        *_each(("remove", "delete"), _ME_EN),
        *("stop all", "stop sending", "opt out", "opt me out", "leave alone", "take off list", "take me off"),
        *("cancel subscription", "withdraw consent", "revoke consent"),
    ),
    "uk": (
        *_each(("не",), ("пишіть", "пиши", "писати", "турбуйте", "турбувати", "спамте", "спамити")),
        *_each(_NOT_WRITE_UK, _NOT_CALL_UK),
        *_each(_NOT_CALL_UK, _NOT_WRITE_UK),
        *_each(_NOT_WRITE_UK[:2], ("на номер", "на цей номер", "на мій номер", "на цей телефон", "на мій телефон")),
        *_each(_ENOUGH_UK, ("писати", "спамити", "турбувати", *_TEXTS_UK)),
        *_each(_ENOUGH_UK, ("надсилати", "присилати", "слати"), _TEXTS_UK),
        *_each(
            *(("не",), ("надсилайте", "надсилай", "надсилати", "присилайте", "присилай", "шліть", "шли", "слати")),
            _TEXTS_UK,
        ),
        *_each(("не потрібні", "не хочу", "не бажаю", "не згоден", "не згодна", "без"), _TEXTS_UK),
        *_each(("не потрібна", "не цікава", "не цікавить", "не треба", "не потрібно"), _ADS_UK),
        *_each(("відмовляюсь", "відмовляюся", "відмовитись", "відмовитися", "відпишіть"), _TEXTS_UK),
        *_each(("скасуйте", "скасувати", "відмінити", "зупиніть", "зупинити", "припинити"), _TEXTS_UK),
        *_each(("відключіть", "відключити", "вимкніть", "вимкнути"), _TEXTS_UK),
        *_each(("як", "хочу"), ("відписатися", "відписатись")),
        *_each(("як", "хочу"), ("відмовитися", "відмовитись", "відключити", "вимкнути", "скасувати"), _TEXTS_UK),
        *_each(("видаліть", "видалити", "приберіть", "заберіть", "виключіть", "викресліть", "вилучіть"), _ME_UK),
        *_each(("відпишіть", "відписати", "відпиши"), ("мене", "номер")),
        *("видаліть бази", "видаліть списку", "скасувати підписку", "відмінити підписку", "скасуйте підписку"),
        *_each(("скасування", "відміна", "припинення"), ("підписки", "розсилки")),
        *_each(("відкликаю", "відкликати", "скасовую"), ("згоду", "згоду на обробку персональних даних")),
        *_each(("пишу", "слово", "пишу слово", "надсилаю", "надсилаю слово"), ("стоп", "stop")),
        *("відстаньте", "відчепіться", "відчепись", "відваліть"),
    ),
    "ru": (
        *_each(("не",), ("пишите", "пиши", "писать", "беспокойте", "беспокоить", "спамьте", "спамить")),
        *_each(_NOT_WRITE_RU, _NOT_CALL_RU),
        *_each(_NOT_CALL_RU, _NOT_WRITE_RU),
        *_each(_NOT_WRITE_RU[:2], ("на номер", "на этот номер", "на мой номер", "на этот телефон", "на мой телефон")),
        *_each(_ENOUGH_RU, ("писать", "спамить", "беспокоить", *_TEXTS_RU)),
        *_each(_ENOUGH_RU, ("присылать", "отправлять", "слать"), _TEXTS_RU),
        *_each(
            *(("не",), ("присылайте", "присылай", "присылать", "отправляйте", "шлите", "шли", "слать")),
            _TEXTS_RU,
        ),
        *_each(("не нужны", "не хочу", "не желаю", "не согласен", "не согласна", "без"), _TEXTS_RU),
        *_each(("не нужна", "не интересна", "не интересует", "не надо", "не нужно"), _ADS_RU),
        *_each(("отказываюсь", "отказаться", "отпишите"), _TEXTS_RU),
        *_each(("отмените", "отменить", "отключите", "отключить"), _TEXTS_RU),
        *_each(("остановите", "остановить", "прекратить"), _TEXTS_RU),
        *_each(("как", "хочу"), ("отписаться",)),
        *_each(("как", "хочу"), ("отказаться", "отключить", "отменить"), _TEXTS_RU),
        *_each(("удалите", "удалить", "уберите", "исключите", "вычеркните"), _ME_RU),
        *_each(("отпишите", "отписать", "отпиши"), ("меня", "номер")),
        *("удалите базы", "удалите списка", "отменить подписку", "отмените подписку"),
        *_each(("отмена", "прекращение"), ("подписки", "рассылки")),
        *_each(("отзываю", "отозвать"), ("согласие", "согласие на обработку персональных данных")),
        *_each(("пишу", "слово", "пишу слово", "отправляю", "отправляю слово"), ("стоп", "stop")),
        *("отстаньте", "отвалите", "отцепитесь"),
    ),
    "latin": (
        *_each(("ne",), ("pishit", "pyshit", "pyshite", "pishite", "pishi", "turbuyte", "bespokoyte", "spamte")),
        *_each(("ne",), ("nadsylayte", "prysylayte", "prisylayte", "shlite"), ("sms", "spam", "reklamu")),
        *_each(("ne treba", "ne potribno", "ne nado", "ne nuzhno", "bez"), ("sms", "spamu", "spama", "reklamy")),
        *_each(("vydalit", "vidalit", "vykreslit", "vidpyshit", "vidpishit"), ("mene", "nomer")),
        *_each(("udalite", "uberite", "otpishite"), ("menya", "nomer")),
        *("skasuvaty pidpysku", "otmenit podpisku", "vidchepitsya", "vidchepitsia", "otstante"),
    ),
}
#: A reply that is nothing but one of these opts out. They also begin other requests: "Cancel my order".
WHOLE: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("end", "quit", "cancel", "revoke", "remove", "delete", "take off", "no more"),
        *("do not send", "dont send", "never send"),
    ),
    "uk": (
        *("відписати", "відпишіть", "відпишіться", "відпиши", "відпишись", "відписка", "відписатся"),
        *("відмовляюсь", "відмовляюся", "відмовитись", "відмовитися", "відмова", "відміна", "відмінити"),
        *("скасувати", "скасуйте", "відключити", "відключіть", "вимкнути", "вимкніть", "видаліть"),
        *("досить", "годі", "припиніть", "припинити", "перестаньте", "зупиніть", "зупинити", "відказуюсь", "видалити"),
        *_each(("не",), ("надсилайте", "надсилати", "надсилай", "присилайте", "присилати", "присилай")),
        *_each(("не",), ("відправляйте", "відправляти", "шліть", "шли", "слати")),
        *_each(_ENOUGH_UK, ("надсилати", "присилати", "слати", "відправляти")),
        *("не хочу отримувати", "не бажаю отримувати"),
        *("більше не треба", "більше не потрібно", "не треба більше", "не потрібно більше"),
    ),
    "ru": (
        *("отписать", "отпишите", "отпишитесь", "отпиши", "отпишись", "отписка", "отписатся"),
        *("отмена", "отменить", "отказ", "отказываюсь", "отказаться", "отключить", "отключите", "удалите"),
        *("хватит", "довольно", "прекратите", "прекратить", "перестаньте", "остановите", "остановить"),
        *_each(("не",), ("присылайте", "присылать", "присылай", "отправляйте", "отправлять", "шлите", "шли", "слать")),
        *_each(_ENOUGH_RU, ("присылать", "отправлять", "слать")),
        *("не хочу получать", "не желаю получать"),
        *("больше не надо", "больше не нужно", "не надо больше", "не нужно больше"),
    ),
    "latin": (
        *("vidpyshit", "vidpishit", "vidpyshy", "vidpyska", "vidmina", "skasuvaty", "dosyt", "prypynit"),
        *("otpishite", "otpishi", "otpiska", "otmena", "hvatit", "khvatit", "prekratite"),
        *_each(("ne",), ("nadsylayte", "prysylayte", "prisylayte", "shlite")),
    ),
}
#: Clauses that refuse, and may stand beside any stop word: "Ні, не потрібно. Відпишіть."
NO_NEED: Mapping[str, tuple[str, ...]] = {
    "en": ("not interested", "no need", "not needed", "do not want", "dont want", "do not need", "dont need"),
    "uk": ("не треба", "не потрібно", "не цікавить", "не цікаво", "не хочу", "не актуально"),
    "ru": ("не надо", "не нужно", "не интересует", "не интересно", "не хочу", "не актуально"),
}
#: A reply without words that contains one of these opts out.
SIGNS = ("❌", "✖", "⛔", "🚫", "🛑")
#: These also mean "write back", and do so beside one of TO_WHOM: "Відпишіть мені" asks for an answer.
WRITE_BACK: Mapping[str, tuple[str, ...]] = {
    "uk": ("відпишіть", "відпишіться", "відпиши", "відпишись"),
    "ru": ("отпишите", "отпишитесь", "отпиши", "отпишись"),
    "latin": ("vidpyshit", "vidpishit", "vidpyshy", "otpishite", "otpishi"),
}
TO_WHOM: Mapping[str, tuple[str, ...]] = {
    "uk": ("мені", "нам", "на", "сюди"),
    "ru": ("мне", "нам", "на", "сюда"),
    "latin": ("meni", "mne", "nam", "na"),
}
#: A reply that is nothing but one of these takes its sender off the opt-out list. A noun such as "підписка" does not:
#: it may be a question, or the subject of a complaint.
BACK: Mapping[str, tuple[str, ...]] = {
    "en": ("start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume"),
    "uk": (
        "старт",
        "підписатися",
        "підписатись",
        "підписуюсь",
        "підписуюся",
        "відновити",
        "поновити",
        "підпишіть мене",
        "підпиши мене",
        "хочу підписатися",
        "хочу підписатись",
    ),
    "ru": (
        "старт",
        "подписаться",
        "подписываюсь",
        "возобновить",
        "подпишите меня",
        "подпиши меня",
        "хочу подписаться",
    ),
}
#: Words that change nothing about it: "Please do not send me any more messages".
FILLERS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("please", "pls", "thanks", "thank", "you", "hello", "hi", "me", "to", "my", "it", "this", "these", "any"),
        *("i", "your", "of", "more", "again", "all", "now", "sms", "spam", "texts", "message", "messages", "number"),
        *("from", "the", "list", "ok", "okay", "reply", "re", "and", "ever", "mailing", "marketing", "promotional"),
        *("database", "would"),
    ),
    "uk": (
        *("будь", "ласка", "прошу", "дякую", "добрий", "доброго", "день", "дня", "вечір", "вечора", "вітаю", "привіт"),
        *("мені", "мене", "нам", "мій", "мого", "від", "на", "у", "в", "вас", "я", "вашої", "та", "з", "зі", "із"),
        *("більше", "більш", "ваші", "ваших", "цю", "ці", "цих", "всі", "все", "вже", "нічого", "сюди", "смс", "sms"),
        *("повідомлення", "повідомлень", "розсилку", "розсилки", "розсилок", "реклами", "рекламу", "спам", "viber"),
        *("ну", "вайбер", "вайбері", "отримання", "отримувати", "бази", "даних", "списку", "ок", "відповідь", "і", "й"),
        *("ніколи", "свою", "ваша", "вашу", "рекламні", "рекламних", "рекламну"),
    ),
    "ru": (
        *("пожалуйста", "прошу", "спасибо", "здравствуйте", "добрый", "доброго", "день", "дня", "вечер", "вечера"),
        *("привет", "мне", "меня", "нам", "мой", "моего", "от", "на", "в", "вас", "больше", "я", "вашей", "ну"),
        *("ваши", "ваших", "эту", "эти", "этих", "все", "уже", "ничего", "сюда", "смс", "sms", "вайбер", "вайбере"),
        *("сообщения", "сообщений", "рассылку", "рассылки", "рассылок", "рекламы", "рекламу", "спам"),
        *(
            "из",
            "с",
            "со",
            "получение",
            "получения",
            "получать",
            "базы",
            "данных",
            "списка",
            "ответ",
            "будьте",
            "добры",
        ),
        *("и", "никогда", "свое", "ваша", "вашу", "рекламные", "рекламных", "рекламную"),
    ),
    "latin": (
        *("bud", "laska", "proshu", "dyakuyu", "diakuiu", "meni", "mene", "vid", "bilshe", "rozsylky"),
        *("pozhaluysta", "pozhalusta", "spasibo", "mne", "menya", "ot", "bolshe", "rassylki"),
    ),
}
#: Words that change nothing about an opt-out, but may deny that somebody comes back.
REFUSALS: Mapping[str, tuple[str, ...]] = {"en": ("no", "nope"), "uk": ("ні",), "ru": ("нет",)}
