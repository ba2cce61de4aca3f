"""The words by which people opt out and come back, by language. How a text is compared with them is in ``consent``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _each(*parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the phrases of one word or phrase of each part."""
    return tuple(" ".join(phrase) for phrase in product(*parts))


#: A reply that begins with one of these opts out: they have no other meaning at the beginning of a sentence.
OPENING: Mapping[str, tuple[str, ...]] = {
    "en": ("stop", "stopall", "unsubscribe", "unsub", "unsuscribe", "unsubcribe", "unsubscibe", "optout"),
    # "cnjg" and "іещз" are "стоп" and "stop" in the other keyboard layout.
    "uk": ("стоп", "відписатися", "відписатись", "відписуюсь", "відписуюся", "іещз", "cnjg"),
    "ru": ("стоп", "отписаться", "отписываюсь", "ыещз"),
    "pl": ("stop", "wypisuję"),
    # Ukrainian and Russian in Latin letters.
    "latin": ("vidpysatysia", "vidpysatysya", "vidpysatys", "vidpisatisya", "otpisatsya", "otpisatsia", "otpisatsa"),
}
#: Words that look like one of OPENING, or begin with one, and mean something else unless they are the whole reply.
OTHER_MEANINGS: Mapping[str, tuple[str, ...]] = {"en": ("stop by", "stop off", "stop over"), "uk": ("стор",)}

_TEXTS_EN = ("messages", "message", "texts", "sms", "spam", "ads", "newsletter")
_TEXTS_UK = _words("смс sms повідомлень повідомлення розсилок розсилки розсилку реклами рекламу спаму спам")
_TEXTS_RU = _words("смс sms сообщений сообщения рассылок рассылки рассылку рекламы рекламу спама спам")
_TEXTS_PL = _words("sms smsów smsy wiadomości powiadomień reklam reklamy spamu newslettera mailingu")
_ADS_UK, _ADS_RU = ("реклама", "розсилка"), ("реклама", "рассылка")
_STOP = ("стоп", "stop")
_AT_ONCE_UK, _AT_ONCE_RU = ("негайно", "терміново"), ("немедленно", "срочно")
#: Whom or what somebody wants to have removed from a list.
_ME_EN = ("me", "my number", "number", "phone number", "my data", "personal data", "my details")
_DATA_UK = ("дані", "персональні дані", "особисті дані")
_DATA_RU = ("данные", "персональные данные", "личные данные")
_ME_UK = ("мене", "номер", "номер телефону", "цей номер", "мій телефон", *_DATA_UK, *_each(("мої",), _DATA_UK))
_ME_RU = ("меня", "номер", "номер телефона", "этот номер", "мой телефон", *_DATA_RU, *_each(("мои",), _DATA_RU))
_DATA_PL = ("danych", "danych osobowych", "dane", "moje dane", "dane osobowe", "moje dane osobowe")
_ME_PL = (
    "mnie",
    "numer",
    "numer telefonu",
    "ten numer",
    "mój numer",
    "mój telefon",
    "numeru",
    "mojego numeru",
    *_DATA_PL,
)
_REMOVE_UK = _words("видаліть видалити приберіть прибрати виключіть виключити викресліть викреслити вилучіть вилучити")
_REMOVE_RU = _words("удалите удалить уберите убрать исключите исключить вычеркните вычеркнуть удали убери")
_REMOVE_PL = _words("usuń usuńcie usunąć usunięcie usunięcia wykreśl wykreślcie wykreślić wykreślenie skasuj skasujcie")
_REMOVAL_UK, _REMOVAL_RU = ("видалення", "вилучення", "виключення"), ("удаление", "исключение")
_OFF_UK, _OFF_RU = ("відключіть", "відключити"), ("отключите", "отключить")
_LISTS_UK = ("розсилки", "розсилок", "бази", "бази даних", "бази розсилки", "списку", "списку розсилки")
_LISTS_RU = ("рассылки", "рассылок", "базы", "базы данных", "базы рассылки", "списка", "списка рассылки")
_LISTS_PL = ("listy", "bazy", "bazy danych", "newslettera", "listy mailingowej")
#: What was not heeded before: "I already sent STOP". Without "already", people may mention STOP for another reason.
_ALREADY_UK, _ALREADY_RU = ("вже", "уже", "ж", "же"), ("уже", "же", "ж")
_TIMES_UK = ("двічі", "тричі", "два рази", "три рази", "кілька разів", "сто разів")
_TIMES_RU = ("дважды", "трижды", "два раза", "три раза", "несколько раз", "сто раз")
_TIMES_PL = ("dwa razy", "trzy razy", "kilka razy", "sto razy")
_SENT_EN = ("sent", "texted", "said", "wrote", "replied", "typed")
_SENT_UK = _words(
    "писав писала написав написала надіслав надіслала надсилав надсилала відправив відправила відправляв відправляла"
)
_SENT_RU = _words("писал писала написал написала отправил отправила отправлял отправляла присылал присылала")
_SENT_PL = ("pisałem", "pisałam", "napisałem", "napisałam", "wysłałem", "wysłałam", "wysyłałem", "wysyłałam")
_NOT_WRITE_UK = _each(("не",), ("пишіть", "пиши", "турбуйте", "надсилайте", "присилайте", "шліть"))
_SEND_UK = _words(
    "надсилайте надсилай надсилати присилайте присилай присилати відправляйте відправляти шліть шли слати"
)
_NOT_SEND_UK = _each(("не",), _SEND_UK)
_ASKED_UK = _each(("просив", "просила", "просили"), ("не писати", "не турбувати", "відписати", "видалити номер"))
_ASKED_RU = _each(("просил", "просила", "просили"), ("не писать", "не беспокоить", "отписать", "удалить номер"))
_NOT_CALL_UK = _each(("не",), ("дзвоніть", "дзвони", "телефонуйте"))
_NOT_WRITE_RU = _each(("не",), ("пишите", "пиши", "беспокойте", "присылайте", "шлите"))
_SEND_RU = _words("присылайте присылать присылай отправляйте отправлять шлите шли слать")
_NOT_SEND_RU = _each(("не",), _SEND_RU)
_NOT_SEND_PL = _each(("nie",), _words("wysyłaj wysyłajcie wysyłać przysyłaj przysyłajcie przysyłać przesyłać"))
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
            ("how", "how do", "how can", "can", "could", "want", "would like", "id like", "like", "need", "wish"),
            ("opt out", "unsubscribe", "stop messages", "stop texts"),
        ),
        *_each(("remove", "delete"), _ME_EN),
        *("stop all", "stop sending", "opt out", "opt me out", "leave alone", "take off list", "get off list"),
        *("take me off", "cancel subscription", "withdraw consent", "revoke consent", "do not consent"),
        *_each(("do not want", "dont want"), ("you to", "you"), ("write", "text", "message", "contact", "spam")),
        *_each(("already", "have already"), _SENT_EN, ("stop",)),
        *_each(_SENT_EN, ("stop",), ("already", "twice", "three times", "many times")),
        *_each(("how many times must", "how many times should"), ("say", "write", "text", "send"), ("stop",)),
        *_each(("already",), ("unsubscribed", "opted out", "asked to stop", "asked to unsubscribe")),
        *("forget number", "lose my number", "want stop", *_each(("can you", "could you"), ("stop", "unsubscribe"))),
    ),
    "uk": (
        *_each(("не",), _words("пишіть пишить пишіте пиште пиши писати турбуйте турбувати спамте спамити")),
        *_each(_NOT_WRITE_UK, _NOT_CALL_UK),
        *_each(_NOT_CALL_UK, _NOT_WRITE_UK),
        *_each(_NOT_WRITE_UK[:2], ("на номер", "на цей номер", "на мій номер", "на цей телефон", "на мій телефон")),
        *_each(_ENOUGH_UK, ("писати", "спамити", "турбувати", *_TEXTS_UK)),
        *_each(_ENOUGH_UK, ("надсилати", "присилати", "слати"), _TEXTS_UK),
        *_each(_NOT_SEND_UK, _TEXTS_UK),
        *_each(_NOT_SEND_UK, ("номер", "цей номер"), _TEXTS_UK),
        *_each(_NOT_SEND_UK, _TEXTS_UK, ("номер", "цей номер")),
        *_each(("не потрібні", "не хочу", "не бажаю", "не згоден", "не згодна", "без"), _TEXTS_UK),
        *_each(("не потрібна", "не цікава", "не цікавить", "не треба", "не потрібно"), _ADS_UK),
        *_each(("відмовляюсь", "відмовляюся", "відмовитись", "відмовитися", "відпишіть"), _TEXTS_UK),
        *_each(("скасуйте", "скасувати", "відмінити", "зупиніть", "зупинити", "припинити"), _TEXTS_UK),
        *_each(("відключіть", "відключити", "вимкніть", "вимкнути"), _TEXTS_UK),
        *_each(("як", "хочу", "можна", "можу"), ("відписатися", "відписатись", "мене відписати", "відписати мене")),
        *_each(("як", "хочу"), ("відмовитися", "відмовитись", "відключити", "вимкнути", "скасувати"), _TEXTS_UK),
        *_each((*_REMOVE_UK, "заберіть", "забудьте"), _ME_UK),
        *_each(("відпишіть", "відписати", "відпиши"), ("мене", "номер")),
        *_each(_REMOVAL_UK, ("мене", "номера", "номеру", "номера телефону", "персональних даних")),
        *_each((*_REMOVE_UK, "відпишіть", "відписати", *_OFF_UK), _LISTS_UK),
        *_each(_OFF_UK, ("номер", "номер телефону", "телефон"), _LISTS_UK),
        *_each(("відпишіть", "відпиши"), _AT_ONCE_UK),
        *_each(_AT_ONCE_UK, ("відпишіть", "відпиши", "припиніть", "перестаньте")),
        *_each(("припиніть", "припинити", "зупиніть", "зупинити"), ("надсилання", "відправку"), _TEXTS_UK),
        *("скасувати підписку", "відмінити підписку", "скасуйте підписку"),
        *_each(("не хочу щоб", "не бажаю щоб"), ("писали", "турбували", "спамили")),
        *_each(("не хочу щоб", "не бажаю щоб"), ("надсилали", "присилали", "слали"), _TEXTS_UK),
        *_each(_ALREADY_UK, _SENT_UK, _STOP),
        *_each(_TIMES_UK, _SENT_UK, _STOP),
        *_each(_SENT_UK, _STOP, _TIMES_UK),
        *_each(("скільки разів", "скільки ще", "скільки можна"), ("писати", "надсилати", "відправляти"), _STOP),
        *_each(_ALREADY_UK, _ASKED_UK),
        *_each(("забороняю",), ("писати", "турбувати", "обробку даних", "обробку персональних даних")),
        *_each(("забороняю",), ("надсилати", "присилати"), _TEXTS_UK),
        *_each(("не даю згоди", "не даю згоду", "не надаю згоди", "не надаю згоду"), _TEXTS_UK),
        *_each(("скасування", "відміна", "припинення"), ("підписки", "розсилки")),
        *_each(("відкликаю", "відкликати", "скасовую"), ("згоду", "згоду обробку", "згоду обробку персональних даних")),
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
        *_each(_NOT_SEND_RU, _TEXTS_RU),
        *_each(_NOT_SEND_RU, ("номер", "этот номер"), _TEXTS_RU),
        *_each(_NOT_SEND_RU, _TEXTS_RU, ("номер", "этот номер")),
        *_each(("не нужны", "не хочу", "не желаю", "не согласен", "не согласна", "без"), _TEXTS_RU),
        *_each(("не нужна", "не интересна", "не интересует", "не надо", "не нужно"), _ADS_RU),
        *_each(("отказываюсь", "отказаться", "отпишите"), _TEXTS_RU),
        *_each(("отмените", "отменить", "отключите", "отключить"), _TEXTS_RU),
        *_each(("остановите", "остановить", "прекратить"), _TEXTS_RU),
        *_each(("как", "хочу", "можно", "могу"), ("отписаться", "меня отписать", "отписать меня")),
        *_each(("как", "хочу"), ("отказаться", "отключить", "отменить"), _TEXTS_RU),
        *_each((*_REMOVE_RU, "забудьте"), _ME_RU),
        *_each(("отпишите", "отписать", "отпиши"), ("меня", "номер")),
        *_each(_REMOVAL_RU, ("меня", "номера", "номера телефона", "персональных данных")),
        *_each((*_REMOVE_RU, "отпишите", "отписать", *_OFF_RU), _LISTS_RU),
        *_each(_OFF_RU, ("номер", "номер телефона", "телефон"), _LISTS_RU),
        *_each(("отпишите", "отпиши"), _AT_ONCE_RU),
        *_each(_AT_ONCE_RU, ("отпишите", "отпиши", "прекратите", "перестаньте")),
        *_each(("прекратите", "прекратить", "остановите", "остановить"), ("отправку", "присылать"), _TEXTS_RU),
        *("отменить подписку", "отмените подписку"),
        *_each(("не хочу чтобы", "не хочу чтоб", "не желаю чтобы"), ("писали", "беспокоили", "спамили")),
        *_each(("не хочу чтобы", "не хочу чтоб", "не желаю чтобы"), ("присылали", "слали", "отправляли"), _TEXTS_RU),
        *_each(_ALREADY_RU, _SENT_RU, _STOP),
        *_each(_TIMES_RU, _SENT_RU, _STOP),
        *_each(_SENT_RU, _STOP, _TIMES_RU),
        *_each(("сколько раз", "сколько еще", "сколько можно"), ("писать", "присылать", "отправлять"), _STOP),
        *_each(_ALREADY_RU, _ASKED_RU),
        *_each(("запрещаю",), ("писать", "беспокоить", "обработку данных", "обработку персональных данных")),
        *_each(("запрещаю",), ("присылать", "отправлять"), _TEXTS_RU),
        *_each(("не даю согласия", "не даю согласие"), _TEXTS_RU),
        *_each(("отмена", "прекращение"), ("подписки", "рассылки")),
        *_each(("отзываю", "отозвать"), ("согласие", "согласие обработку", "согласие обработку персональных данных")),
        *_each(("пишу", "слово", "пишу слово", "отправляю", "отправляю слово"), ("стоп", "stop")),
        *("отстаньте", "отвалите", "отцепитесь", "отвяжитесь", "да хватит"),
    ),
    "pl": (
        *_each(("nie",), _words("pisz piszcie pisać spamuj spamujcie spamować"), ("", "do mnie", "na ten numer")),
        *("nie kontaktuj się", "nie kontaktujcie się", "nie kontaktować się", "nie przeszkadzajcie"),
        *_each(_NOT_SEND_PL, _TEXTS_PL),
        *_each(("nie chcę", "nie życzę sobie", "bez", "dość", "koniec", "rezygnuję", "rezygnacja"), _TEXTS_PL),
        *_each(("nie chcę", "nie życzę sobie"), ("otrzymywać", "dostawać"), _TEXTS_PL),
        *_each(("nie chcę żebyście", "nie chcę abyście"), ("pisali", "do mnie pisali", "pisali do mnie")),
        *_each(_words("przestań przestańcie przestać dość"), ("pisać", "spamować", "do mnie pisać", "pisać do mnie")),
        *_each(("przestań", "przestańcie", "przestać"), ("wysyłać", "przysyłać"), _TEXTS_PL),
        *_each((*_REMOVE_PL, "zapomnijcie"), _ME_PL),
        *_each((*_REMOVE_PL, "wypisz", "wypiszcie", "wypisać", "wypisanie"), _LISTS_PL),
        *_each(("wypisz", "wypiszcie", "wypisać", "wypisanie"), ("mnie", "numer", "ten numer", "mój numer")),
        *("wypisuję się", "wypisać się", "chcę się wypisać", "chcę wypisać się", "jak się wypisać", "jak wypisać się"),
        *_each(_words("rezygnuję rezygnacja zrezygnować anuluj anulować anuluję"), ("subskrypcji", "subskrypcję")),
        *_each(
            _words("cofam wycofuję odwołuję"), ("zgodę", "zgodę przetwarzanie", "zgodę przetwarzanie danych osobowych")
        ),
        *_each(("nie wyrażam",), ("zgody", "zgody przetwarzanie danych osobowych")),
        *_each(("już",), _SENT_PL, _STOP),
        *_each(_TIMES_PL, _SENT_PL, _STOP),
        *_each(_SENT_PL, _STOP, _TIMES_PL),
        *_each(("ile razy mam", "ile razy"), ("pisać", "wysyłać"), _STOP),
        *("odczepcie się", "odczep się", "dajcie spokój", "zostawcie w spokoju"),
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
        *("do not send", "dont send", "never send", "do not send anything", "dont send anything", "send nothing"),
        *_each(("do not want", "dont want", "do not wish"), ("receive",)),
        *_each(_SENT_EN, ("stop",)),
    ),
    "uk": (
        *_words(
            "відписати відпишіть відпишіться відпиши відпишись відписка відписатся відмовляюсь відмовляюся відмовитись "
            "відмовитися відмова відміна відмінити скасувати скасуйте відключити відключіть вимкнути вимкніть видаліть "
            "досить годі припиніть припинити перестаньте зупиніть зупинити відказуюсь видалити"
        ),
        *_NOT_SEND_UK,
        *_each(_ENOUGH_UK, ("надсилати", "присилати", "слати", "відправляти")),
        *("не хочу отримувати", "не бажаю отримувати"),
        *("більше не треба", "більше не потрібно", "не треба більше", "не потрібно більше"),
        *_each(_SENT_UK, _STOP),
    ),
    "ru": (
        *_words(
            "отписать отпишите отпишитесь отпиши отпишись отписка отписатся отмена отменить отказ отказываюсь "
            "отказаться отключить отключите удалите удалить хватит довольно прекратите прекратить перестаньте "
            "остановите остановить"
        ),
        *_NOT_SEND_RU,
        *_each(_ENOUGH_RU, ("присылать", "отправлять", "слать")),
        *("не хочу получать", "не желаю получать"),
        *("больше не надо", "больше не нужно", "не надо больше", "не нужно больше"),
        *_each(_SENT_RU, _STOP),
    ),
    "pl": (
        *_words("wypisz wypiszcie wypisać wypisanie rezygnuję rezygnacja zrezygnować anuluj koniec dość dosyć"),
        *("usuń", "usuńcie", "usunąć", "przestań", "przestańcie", "odmawiam"),
        *_NOT_SEND_PL,
        *_each(("nie chcę", "nie życzę sobie"), ("otrzymywać", "dostawać")),
        *_each(_SENT_PL, _STOP),
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
    "uk": ("не треба", "не потрібно", "не цікавить", "не цікаво", "не хочу", "не актуально", "неактуально", "нецікаво"),
    "ru": (
        "не надо",
        "не нужно",
        "не интересует",
        "не интересно",
        "не хочу",
        "не актуально",
        "неактуально",
        "неинтересно",
    ),
    "pl": ("nie", "nie trzeba", "nie potrzebuję", "nie chcę", "nie interesuje", "nieaktualne"),
}
#: A reply without words that contains one of these opts out.
SIGNS = ("❌", "✖", "⛔", "🚫", "🛑")
#: These also mean "write back", and do so beside one of TO_WHOM: "Відпишіть мені" asks for an answer.
WRITE_BACK: Mapping[str, tuple[str, ...]] = {
    "uk": ("відпишіть", "відпишіться", "відпиши", "відпишись", "відписати"),
    "ru": ("отпишите", "отпишитесь", "отпиши", "отпишись", "отписать"),
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
    "en": (
        *("start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume", "start 1", "1 start"),
        *("sign me up again", "subscribe me", "opt me back in", "add me back", "add me back to the list"),
        *_each(("want", "would like"), ("to receive", "to get"), ("messages", "texts", "newsletter"), ("again",)),
    ),
    "uk": (
        *("старт", "підписатися", "підписатись", "підписуюсь", "підписуюся", "відновити", "поновити"),
        *("підпишіть мене", "підпиши мене", "хочу підписатися", "хочу підписатись", "старт 1", "1 старт"),
        *_each(("відновити", "відновіть", "поновити", "поновіть"), ("підписку", "розсилку")),
        *_each(("хочу", "бажаю"), ("отримувати",), ("смс", "sms", "повідомлення", "розсилку")),
        *_each(("поверніть мене", "повернути мене"), ("до розсилки", "в розсилку", "у розсилку")),
    ),
    "ru": (
        *("старт", "подписаться", "подписываюсь", "возобновить"),
        *("подпишите меня", "подпиши меня", "хочу подписаться"),
        *_each(("возобновить", "возобновите", "восстановить", "восстановите"), ("подписку", "рассылку")),
        *_each(("хочу", "желаю"), ("получать",), ("смс", "sms", "сообщения", "рассылку")),
        *_each(("верните меня", "вернуть меня"), ("в рассылку",)),
    ),
    # "Zapisz mnie" alone also asks for an appointment.
    "pl": (
        *_each(_words("wznów wznówcie wznowić przywróć przywróćcie przywrócić"), ("subskrypcję", "newsletter")),
        "subskrybuję",
        *_each(
            ("zapisz mnie", "zapiszcie mnie", "zapisać mnie"), ("ponownie", "znowu", "do newslettera", "na newsletter")
        ),
        *_each(
            ("chcę", "chcę znowu", "chcę ponownie"), ("otrzymywać", "dostawać"), ("wiadomości", "sms", "newsletter")
        ),
    ),
}
#: Words that change nothing about it: "Please do not send me any more messages". Polish ones are without their marks,
#: as they are compared.
FILLERS: Mapping[str, tuple[str, ...]] = {
    "en": _words(
        "please pls thanks thank you hello hi me to my it this these any plz plis plss anymore ive im thx tnx tks "
        "kindly hey guys i your of more all sms spam texts message messages number from the list ok okay reply re and "
        "ever mailing marketing promotional database would"
    ),
    "uk": _words(
        "будь ласка прошу дякую добрий доброго день дня вечір вечора вітаю привіт мені мене нам мій мого від на у в "
        "вас я вашої та з зі із більше більш ваші ваших цю ці цих всі все вже нічого сюди смс sms повідомлення "
        "повідомлень розсилку розсилки розсилок реклами рекламу спам viber ну вайбер вайбері отримання отримувати бази "
        "даних списку ок відповідь і й ніколи жодних жодного усього всіх свою своєї своїх ваша вашу рекламні рекламних "
        "рекламну рекламного характеру ви вам моїх ж плз пліз плізз пж пжл пжлст дяк дякс алло спс будьласка шановні "
        "дівчата прохання"
    ),
    "ru": _words(
        "пожалуйста прошу спасибо здравствуйте добрый доброго день дня вечер вечера привет мне меня нам мой моего от "
        "на в вас больше я вашей ну ваши ваших эту эти этих все уже ничего сюда смс sms вайбер вайбере сообщения "
        "сообщений рассылку рассылки рассылок рекламы рекламу спам из с со получение получения получать базы данных "
        "списка ответ будьте добры и никогда никаких никакой всего всех свое своей своих ваша вашу рекламные рекламных "
        "рекламную рекламного характера вы моих же плиз плизз пжста пожалуста пожалуйсто уважаемые девушки просьба"
    ),
    "latin": _words(
        "bud laska proshu dyakuyu diakuiu meni mene vid bilshe rozsylky pozhaluysta pozhalusta spasibo mne menya ot "
        "bolshe rassylki pliz"
    ),
    "pl": _words(
        "prosze prosimy dziekuje dzieki dzien dobry witam czesc mi mnie z ze na od panstwa waszej swojej tej listy "
        "bazy danych newslettera wiadomosci sms smsow reklam spamu wiecej juz nigdy zadnych tych reklamowych "
        "marketingowych mna bardzo o moich"
    ),
}
#: Words that change nothing about a clear request, nor about coming back. Beside a word that may be about an order,
#: they answer a question or complain: "Yes, cancel", "Cancel at once", "отмена опять".
EMPHASES: Mapping[str, tuple[str, ...]] = {
    "en": _words(
        "yes yeah yep again just immediately urgently asap right now at once finally forever permanently already"
    ),
    "uk": _words(
        "так ага знову знов просто вимагаю нарешті назавжди взагалі повністю звідусіль зараз одразу відразу негайно "
        "терміново"
    ),
    "ru": _words(
        "да снова опять просто требую наконец навсегда вообще полностью отовсюду сейчас сразу немедленно срочно"
    ),
    "pl": _words("tak znowu ponownie zadam po prostu wreszcie natychmiast pilnie teraz zaraz"),
}
#: A clause that begins with one of NEGATIONS asks for a pause if it has one of NOW, "Do not text me now", and for
#: something else if a clause with one of CONDITIONS follows: "Do not text that it was delivered if it was not".
NEGATIONS = frozenset({"не", "do", "dont", "never", "ne", "nie"})
#: Two clear requests may be joined by one of these: "Видаліть мій номер і більше не пишіть".
AND = _words("and і й та и i oraz")
NOW: Mapping[str, tuple[str, ...]] = {"en": ("now",), "uk": ("зараз",), "ru": ("сейчас",), "pl": ("teraz", "zaraz")}
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "en": ("that", "if", "until", "unless", "when", "while"),
    "uk": ("що", "щоб", "якщо", "коли", "поки", "доки"),
    "ru": ("что", "чтобы", "чтоб", "если", "когда", "пока"),
    "pl": ("że", "żeby", "żebyście", "abyście", "jeśli", "jeżeli", "kiedy", "gdy", "dopóki", "póki"),
}
#: Words that change nothing about an opt-out, but may deny that somebody comes back.
REFUSALS: Mapping[str, tuple[str, ...]] = {"en": ("no", "nope"), "uk": ("ні",), "ru": ("нет",)}
