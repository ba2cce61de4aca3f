"""Replies as people write them, by kind: each beside sentences of the same words that ask for something else."""

from __future__ import annotations

import pytest

from django_hyber.protocol import Consent, read_consent

OUT = {
    "written as one word": (
        *(
            "непишіть",
            "Непишіть мені більше!",
            "нетурбуйте",
            "ненадсилайте смс",
            "Непотрібні смс",
            "нехочу отримувати смс",
        ),
        *("непишите мне", "небеспокойте", "неприсылайте рекламу", "ненадо мне писать", "Нецікаво, видаліть"),
        *("niepisz do mnie", "nepishite", "Замовлення отримала. Непишіть мені"),
    ),
    "asked politely": (
        *("Можна відписатися?", "Можна мене відписати?", "Прохання не турбувати", "не пишить мені"),
        *("Можно отписаться?", "Можно меня отписать", "Просьба больше не писать"),
        *("Can I unsubscribe?", "Could you unsubscribe me please?", "Can you stop?"),
    ),
    "urgent": (
        *("Негайно приберіть мене з розсилки!", "Терміново видаліть мій номер з бази", "Відпишіть мене нарешті"),
        *(
            "Видаліть мене зараз",
            "Срочно удалите мой номер",
            "Уберите меня немедленно из базы",
            "отпишите меня навсегда",
        ),
        *("Remove me immediately", "Unsubscribe me right now", "Take me off your list at once"),
        *("Natychmiast usuńcie mój numer", "proszę pilnie wypisać mnie z newslettera", "Негайно припиніть!"),
    ),
    "short please": (
        *("пліз відпишіть", "Відпишіть мене пж", "не пишіть більше плз", "видаліть номер, дяк"),
        *("пжл отпишите", "не присылайте больше смс плиз", "удалите меня, спс", "отпишите пожалуйсто"),
        *("plz remove me", "dont text me thx", "prosze wypisz", "Stop plis"),
    ),
    "no interest": (
        *("Неактуально. Відпишіть", "Нецікаво, видаліть", "Дякую, не цікавить. Відписка", "Не актуально, не пишіть"),
        *("Неинтересно, отписка", "неактуально. удалите", "Мне неинтересно! Удалите мой номер"),
        *(
            "Not interested, remove me",
            "No need. Unsubscribe please",
            "Nie, dziękuję. Wypisz",
            "Nieaktualne, wypiszcie",
        ),
    ),
    "formal": (
        *(
            "Прошу виключити мене з бази розсилки",
            "Вимагаю видалити мої персональні дані",
            "Прошу вилучити мій номер зі списку",
        ),
        *("Прошу припинити надсилання рекламних повідомлень", "Прошу исключить меня из списка рассылки"),
        *("Прошу прекратить присылать мне рекламные сообщения", "Прошу убрать мой номер из вашей базы данных"),
        *(
            "Kindly remove my number from your database",
            "Proszę o usunięcie mnie z listy",
            "Proszę usunąć mój numer z bazy",
        ),
        *("Proszę nie wysyłać mi wiadomości marketingowych", "Прошу не надсилати на мій номер рекламу"),
    ),
    "off the list": (
        *(
            "Викресліть з розсилки",
            "приберіть зі списку розсилки",
            "Відключіть мене від розсилки",
            "відпишіть від розсилки",
        ),
        *(
            "Исключите из рассылки",
            "уберите из базы",
            "отключите мой номер от рассылки",
            "Вычеркните меня из своей базы",
        ),
        *(
            "Remove me from this list",
            "delete me from your database",
            "wypisz z listy",
            "Usuńcie mnie ze swojej bazy danych",
        ),
    ),
    "wish": (
        *("Не хочу, щоб ви мені надсилали рекламу", "Я не бажаю, щоб мене турбували", "Не хочу щоб ви спамили"),
        *("Не хочу, чтобы вы мне писали", "Здравствуйте. Я не желаю, чтобы меня беспокоили", "не хочу чтоб слали спам"),
        *("I don't want you to text me", "I do not want you to contact me again", "I don't want to receive these"),
        *("Nie chcę, żebyście do mnie pisali", "Nie życzę sobie reklam", "nie chcę otrzymywać wiadomości"),
    ),
    "already sent": (
        *("Я ж надсилала СТОП", "Вже тричі писала стоп!", "Скільки ще писати СТОП?", "Я вже просила не писати"),
        *("Я уже отправлял СТОП", "Сколько раз вам писать стоп", "Я же писала стоп!!!", "Уже просил удалить номер"),
        *("I already sent STOP", "I said stop!", "How many times must I text STOP?", "I texted stop twice"),
        *(
            "Już pisałem STOP",
            "Już trzy razy pisałem STOP",
            "I have already sent STOP",
            "Скільки можна писати стоп!",
            "Ile razy mam pisać stop?",
        ),
    ),
    "emphatic": (
        *(
            "Просто відпишіть мене",
            "Так, відпишіть мене",
            "Та досить вже",
            "Просто не пишіть",
            "Взагалі не пишіть мені",
        ),
        *("Да отпишите меня уже", "Да не пишите мне больше", "Да хватит!", "просто удалите мой номер"),
        *("Just stop", "Yes, unsubscribe me", "I just want to stop", "Po prostu stop", "Tak, wypisz mnie"),
    ),
    "misspelt": (
        *("стопстопстоп", "СТОПСТОП!", "stopstop", "Stopstopstop please", "unsuscribe me", "Unsubcribe please"),
        *("unsubscibe", "стопппп плз", "ОТПИСАТЬСЯОТПИСАТЬСЯ", "відписатисяя"),
    ),
    "consent": (
        *("Забороняю обробку моїх персональних даних", "Забороняю мені писати", "не даю згоди на розсилку"),
        *(
            "Забудьте цей номер",
            "Забудьте мой номер",
            "Запрещаю обработку персональных данных",
            "запрещаю присылать мне смс",
        ),
        *("Не даю согласия на рассылку", "I do not consent to this", "I withdraw my consent", "Cofam zgodę"),
        *("Nie wyrażam zgody na przetwarzanie moich danych osobowych", "Lose my number"),
    ),
    "Polish": (
        *(
            "STOP",
            "Wypisz mnie",
            "Rezygnuję",
            "REZYGNUJE!",
            "Nie pisz do mnie",
            "Proszę nie pisać",
            "nie piszcie wiecej",
        ),
        *("Usuń mój numer", "usun mnie z bazy", "Nie przysyłajcie mi reklam", "Przestańcie pisać", "Koniec spamu"),
        *(
            "Chcę się wypisać",
            "jak sie wypisac?",
            "Rezygnuję z newslettera",
            "Dość",
            "Dajcie mi spokój",
            "Odczepcie się",
        ),
        *("Nie, rezygnuję", "anuluj subskrypcję", "wypisz mnie, jeśli można"),
    ),
    "joined": (
        *("Видаліть мій номер і більше не пишіть", "Прошу видалити мій номер з бази та більше не турбувати"),
        *("Удалите меня из базы и не пишите", "Отпишите меня и удалите мои данные", "Remove me and don't write again"),
        *("Stop sending and delete my number", "Usuńcie mój numer i nie piszcie", "Wypisz mnie oraz usuń moje dane"),
    ),
    "under a condition": (
        *("Відпишіть мене, якщо можна", "Видаліть мій номер, якщо він у вас є", "Удалите меня, если не сложно"),
        *("Remove me, if you can", "Стоп, якщо можна"),
    ),
}
NOTHING = {
    "written as one word": (
        *("непотрібно", "нехочу", "Неслухняний", "Немає сил", "неділя", "Непишемо договір", "непишіть адресу"),
        *("ненадо", "Невыгодно", "niedziela", "nepal"),
    ),
    "asked politely": (
        *("Можна мені відписати?", "Не можна відписатися", "Прохання передзвонити", "Можно отписать мне", "не пише"),
        *("Can you stop by?", "Can you send it?", "Просьба перезвонить", "Можна замовити?"),
    ),
    "urgent": (
        *(
            "Терміново зателефонуйте мені",
            "Негайно скасуйте замовлення",
            "Негайно видаліть мій відгук",
            "Відпишіть мені терміново",
        ),
        *("Не пишіть зараз, я за кермом", "Срочно нужен курьер", "Немедленно верните деньги", "Не пишите сейчас"),
        *("Срочно отмените!", "Don't text me now, I am driving", "Cancel now", "I need it right now"),
        *("Pilnie proszę o kontakt", "Nie pisz teraz", "Скасуйте негайно"),
    ),
    "short please": (
        *("Відпишіть мені плз", "напишіть адресу пліз", "скасуйте замовлення пж", "дяк", "плз передзвоніть"),
        *(
            "отпишите мне плиз",
            "Прошу відписати мені",
            "прошу отписать на почту",
            "спс, не надо",
            "удалите заказ плиз",
            "plz call me",
            "thx",
            "dont forget plz",
        ),
    ),
    "no interest": (
        *("Неактуально", "Нецікаво", "Не цікавить ця модель, є інша?", "Неактуально, уже купила", "Не потрібно, дякую"),
        *(
            "Неинтересно",
            "Неинтересно. А есть красные?",
            "Not interested",
            "No need, thanks",
            "Nie, dziękuję",
            "Nieaktualne",
        ),
    ),
    "formal": (
        *("Прошу виключити доставку з рахунку", "Вимагаю видалити замовлення", "Прошу припинити нарахування"),
        *("Прошу не надсилати посилку до п'ятниці", "Прошу исключить этот товар из заказа", "Прошу убрать доставку"),
        *(
            "Прошу прекратить договор",
            "Kindly remove the second item",
            "Proszę usunąć jedną sztukę",
            "Proszę nie wysyłać paczki",
        ),
    ),
    "off the list": (
        *("Викресліть каву зі списку", "Відключіть мій номер", "Приберіть з кошика", "Відпишіть від кого посилка"),
        *("Исключите сахар из состава", "уберите из заказа", "отключите мой номер от роуминга", "Удалите из корзины"),
        *("Remove it from the cart please", "usuń z koszyka", "Видаліть товар із бази товарів"),
    ),
    "wish": (
        *("Хочу, щоб ви мені писали", "Не хочу, щоб ви запізнювались", "Не хочу, щоб кур'єр дзвонив вночі"),
        *("Не хочу, чтобы вы ошиблись", "Хочу, чтобы вы мне написали", "Не хочу чтобы слали курьера"),
        *(
            "I want you to text me",
            "I don't want you to be late",
            "I don't want this color",
            "Chcę, żebyście do mnie pisali",
        ),
        *("Nie chcę żebyście się spóźnili", "I don't want to write a review"),
    ),
    "already sent": (
        *(
            "Я ще не писала СТОП",
            "Я вже писала про доставку",
            "Скільки разів писати адресу?",
            "Вже просила передзвонити",
        ),
        *("Я не писал стоп", "Я уже отправила деньги", "Сколько раз вам звонить?", "Уже просил удалить заказ"),
        *("I never sent STOP", "I already sent the money", "How many times must I pay?", "I already texted you"),
        *("Nie pisałem STOP", "Już pisałem w tej sprawie", "На пачці писало стоп ціна"),
    ),
    "emphatic": (
        *("Просто цікавлюсь", "Так, скасуйте", "Так, відміна", "Знову відміна!", "Так", "Просто не встигла"),
        *(
            "Да, отмените",
            "Опять отмена",
            "Да не надо было",
            "Yes, cancel",
            "Yes, remove",
            "Just asking",
            "Tak, anuluj",
            "Tak",
        ),
    ),
    "misspelt": (
        *(
            "стопкастопка",
            "топтоп",
            "stepstep",
            "unsure",
            "стопудово",
            "Тук-тук",
            "стопами",
            "stopwatch",
            "так-так",
            "no-no",
        ),
    ),
    "consent": (
        *(
            "Забороняю списувати кошти",
            "Забудьте про знижку",
            "не даю згоди на ремонт",
            "Заблокуйте картку",
            "Заблокуйте мій номер",
        ),
        *("Забудьте, я пошутила", "Запрещаю передавать посылку соседям", "Не даю согласия на замену"),
        *("I do not consent to the price", "I forgot my number", "Nie wyrażam zgody na wymianę", "Cofam zamówienie"),
    ),
    "Polish": (
        *(
            "Nie",
            "Nie rezygnuję",
            "Nie wypisujcie mnie",
            "Rezygnuję z zamówienia",
            "Nie pisz, że dostarczono",
            "Napisz do mnie",
        ),
        *(
            "Wypisz fakturę",
            "Usuń produkt z koszyka",
            "Kiedy dostawa?",
            "Nie przysyłajcie kuriera",
            "Koniec ulicy, dom 5",
        ),
        *(
            "Dość drogo",
            "Przystanek",
            "Mój numer to 501234567",
            "Proszę napisać",
            "Anuluj zamówienie",
            "Dziękuję",
            "Numer domu 7",
        ),
        *("Na przystanku stop jest dobry", "Nie pisz teraz, prowadzę", "Zapisz mnie"),
    ),
    "joined": (
        *("Не пишіть і не стукайте", "Видаліть товар і не пишіть більше про нього", "Не дзвоніть і не приїжджайте"),
        *("Удалите заказ и верните деньги", "Не пишите и не говорите об этом жене", "Remove the onions and the sauce"),
        *("Do not text and drive", "Usuń rabat i anuluj zamówienie"),
    ),
    "under a condition": (
        *("Не пишіть, що доставили, якщо не доставили", "Не пишіть, поки не привезете", "Не пишіть, коли я на роботі"),
        *("Не пишите, что всё готово", "Не пишите, если не знаете", "Do not text me, unless it is ready"),
        *("Don't write that it works, when it does not", "Nie piszcie, dopóki nie wyślecie"),
    ),
}
BACK = {
    "uk": (
        *("Підпишіть мене знову", "Знову підпишіть мене, будь ласка", "Так, старт", "старт 1", "Відновіть підписку"),
        *("Відновити розсилку", "Хочу знову отримувати повідомлення", "Поверніть мене до розсилки", "Так, підписатися"),
        *("Поновіть підписку, дякую", "Старт плз"),
    ),
    "ru": (
        *(
            "подпишите меня снова",
            "Опять подпишите меня",
            "Да, старт",
            "Возобновите рассылку",
            "хочу снова получать сообщения",
        ),
        *("Верните меня в рассылку", "Восстановить подписку", "Да, подписаться", "Старт плиз", "снова старт"),
    ),
    "en": (
        *("YES START", "Start again", "start 1", "Subscribe me again", "Sign me up again please", "Opt me back in"),
        *("I want to receive messages again", "Yes, subscribe", "plz start", "Add me back to the list"),
    ),
    "pl": (
        *("Tak, start", "Zapisz mnie ponownie", "Proszę zapisać mnie ponownie", "Wznów subskrypcję", "Start, proszę"),
        *(
            "Chcę znowu otrzymywać wiadomości",
            "zapiszcie mnie do newslettera",
            "Przywróćcie subskrypcję",
            "chce dostawac sms",
        ),
        *("Zapisz mnie znowu", "Tak, subskrybuję"),
    ),
}
NOT_BACK = {
    "uk": (
        *("Хочу отримувати посилку", "Поверніть мені гроші", "Відновіть замовлення", "Старт о 18", "Знову", "Так"),
        *("Не підписуйте мене знову", "Підпишіть договір", "Хочу знову замовити", "Поверніть мене до оператора"),
    ),
    "ru": (
        *("Хочу получать скидки", "Верните деньги", "Восстановите пароль", "Старт в 10", "Снова", "Да"),
        *("Не подписывайте меня снова", "Подпишите акт", "Да, старт завтра", "Верните мне меня"),
    ),
    "en": (
        *(
            "Yes",
            "Again",
            "Yes, start at 9",
            "When do you start again?",
            "Start 2",
            "I want to receive my parcel again",
        ),
        *("Sign me up", "Don't start again", "Add me to the order", "Resume my order"),
    ),
    "pl": (
        *("Tak", "Zapisz mnie", "Zapisz mnie na wizytę", "Wznów zamówienie", "Chcę dostawać faktury", "Znowu"),
        *("Nie zapisujcie mnie ponownie", "Start o 18", "Chcę znowu zamówić", "Przywróćcie hasło"),
    ),
}


def understood(texts):
    """What is read from each text."""
    return {text: read_consent(text) for text in texts}


@pytest.mark.parametrize("kind", OUT)
def test_requests_of_this_kind_opt_out(kind):
    assert understood(OUT[kind]) == dict.fromkeys(OUT[kind], Consent.OUT)


@pytest.mark.parametrize("kind", NOTHING)
def test_sentences_that_ask_for_something_else_change_nothing(kind):
    assert understood(NOTHING[kind]) == dict.fromkeys(NOTHING[kind])


@pytest.mark.parametrize("kind", BACK)
def test_requests_to_come_back_are_understood(kind):
    assert understood(BACK[kind]) == dict.fromkeys(BACK[kind], Consent.BACK)


@pytest.mark.parametrize("kind", NOT_BACK)
def test_sentences_about_something_else_do_not_bring_back(kind):
    assert understood(NOT_BACK[kind]) == dict.fromkeys(NOT_BACK[kind])
