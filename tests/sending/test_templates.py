"""Messages by the code of a template."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction
from django.utils.translation import gettext_lazy, override

from django_hyber.errors import ExtraIdError
from django_hyber.models import Message, Template, TemplateVariant
from django_hyber.protocol import SMS, InvalidMessage, InvalidPhone, Viber
from django_hyber.services import asend_template, purge_personal_data, send_template
from tests.builders import call_async, posts
from tests.queries import statements_of
from tests.samples import PHONE, phone
from tests.store.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def texts(word):
    return [Viber(text=f"{word} %order%", ttl=60), SMS(text=f"{word} %order%", alpha_name="GMSU", ttl=300)]


@pytest.fixture
def template(platform):
    template = Template.objects.create(code="order-shipped", name="Order shipped", language="en")
    template.set_channels(texts("Shipped"), language="en")
    template.set_channels(texts("Відправлено"), language="uk")
    return template


def sent_text(platform):
    return posts(platform)[-1]["channel_options"]["viber"]["text"]


def test_template_is_sent_with_its_values_and_in_its_order(platform, template):
    message = send_template("order-shipped", PHONE, {"order": 7}, language="uk")

    body = posts(platform)[-1]
    assert body["channels"] == ["viber", "sms"]
    assert {options["text"] for options in body["channel_options"].values()} == {"Відправлено 7"}
    message.refresh_from_db()
    assert (message.status, message.variables) == ("accepted", {"order": "7"})


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (None, "Shipped 7"),
        ("en", "Shipped 7"),
        ("uk", "Відправлено 7"),
        ("uk-UA", "Відправлено 7"),
        ("uk_UA", "Відправлено 7"),
        ("UK", "Відправлено 7"),
        ("uk-Cyrl-UA", "Відправлено 7"),
        ("pl", "Shipped 7"),
        ("u", "Shipped 7"),
        ("", "Shipped 7"),
    ],
)
def test_language_falls_back_to_its_base_and_to_that_of_the_template(platform, template, language, text):
    send_template("order-shipped", PHONE, {"order": 7}, language=language)

    assert sent_text(platform) == text


def test_text_that_is_still_to_be_written_does_not_stand_in_the_way(platform, template):
    TemplateVariant.objects.create(template=template, language="pl")
    template.set_channels([], language="uk-ua")

    send_template("order-shipped", PHONE, {"order": 7}, language="uk-UA")
    assert sent_text(platform) == "Відправлено 7"
    send_template("order-shipped", PHONE, {"order": 7}, language="pl")
    assert sent_text(platform) == "Shipped 7"


@pytest.mark.parametrize("language", ["pl", "en-gb", "uk_UA", "zh-Hans-CN"])
def test_code_of_a_language_is_valid(template, language):
    TemplateVariant(template=template, language=language, version=1).full_clean()


@pytest.mark.parametrize("language", ["uk ua!", "u", "українська", "uk-", "uk\n"])
def test_what_is_no_code_of_a_language_is_refused(template, language):
    with pytest.raises(ValidationError, match="Enter the code of a language"):
        TemplateVariant(template=template, language=language).full_clean()


def test_exact_region_goes_before_the_language(platform, template):
    template.set_channels(texts("Dispatched"), language="en_GB")
    send_template("order-shipped", PHONE, {"order": 7}, language="en-gb")

    assert sent_text(platform) == "Dispatched 7"


def test_unknown_code_is_said_to_be_unknown(platform, template):
    with pytest.raises(Template.DoesNotExist):
        send_template("order-lost", PHONE, {"order": 7})


@pytest.mark.parametrize("variables", [None, {}, {"Order": 7}, {"order": None}, {"order": ""}, {"order": "  "}])
def test_missing_value_is_refused_by_name_before_anything_is_stored(platform, template, variables):
    with pytest.raises(InvalidMessage, match="“order”"):
        send_template("order-shipped", PHONE, variables)
    assert not Message.objects.exists()


def test_template_without_a_text_is_refused(platform):
    Template.objects.create(code="empty", name="Empty")

    with pytest.raises(InvalidMessage, match="“empty” has no text"):
        send_template("empty", PHONE)


def test_text_that_its_values_make_too_long_is_refused(platform, template):
    with pytest.raises(InvalidMessage, match=r"text"):
        send_template("order-shipped", PHONE, {"order": "x" * 2_000})
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(datetime(2026, 11, 30, 22, 30, 59, 7, tzinfo=UTC), "01.12.2026 00:30"), (Decimal("1E+3"), "1000")],
)
def test_dates_and_numbers_are_sent_as_people_write_them(platform, template, value, shown):
    send_template("order-shipped", PHONE, {"order": value})

    assert sent_text(platform) == f"Shipped {shown}"


def test_value_that_looks_like_a_variable_is_not_replaced(platform, template):
    send_template("order-shipped", PHONE, {"order": "%order%"})

    assert sent_text(platform) == "Shipped %order%"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("language", {"language": 5}),
        ("language", {"language": "\x00"}),
        ("code", {"code": 5}),
        ("code", {"code": "\ud800"}),
        ("extra_id", {"extra_id": UUID(int=7)}),
        ("extra_id", {"extra_id": "\x00"}),
        ("tag", {"tag": "\x00"}),
    ],
)
def test_argument_that_cannot_be_is_refused_with_its_name(platform, template, field, arguments):
    with transaction.atomic():
        with pytest.raises(InvalidMessage) as caught:
            send_template(**{"code": "order-shipped", "phone_number": PHONE, "variables": {"order": 7}} | arguments)
        assert not Message.objects.exists()
    assert [problem.field for problem in caught.value.problems] == [field]


def test_lazily_translated_texts_are_taken_in_the_active_language(platform):
    template = Template.objects.create(code="answer", name="Answer", language="en")
    with override("uk"):
        template.set_channels([SMS(text=gettext_lazy("Yes"), alpha_name="GMSU", ttl=300)])
        send_template("answer", PHONE, language=gettext_lazy("en"), tag=gettext_lazy("No"))

    (body,) = posts(platform)
    assert (body["channel_options"]["sms"]["text"], body["tag"]) == ("Так", "Ні")


def test_wrong_number_is_refused(platform, template):
    with pytest.raises(InvalidPhone):
        send_template("order-shipped", "12", {"order": 7})


def test_message_remembers_which_version_it_got(platform, template):
    first = send_template("order-shipped", PHONE, {"order": 7})
    template.set_channels(texts("Sent"), language="en")
    second = send_template("order-shipped", PHONE, {"order": 7})

    assert [message.template_version for message in (first, second)] == ["order-shipped en 1", "order-shipped en 2"]


def test_setting_the_same_channels_makes_no_version(platform, template):
    template.set_channels(texts("Shipped"), language="en")

    assert template.find_text("en").variant.version == 1


def test_options_are_those_of_a_single_message(platform, template):
    order = Order.objects.create(phone=PHONE)
    message = send_template(
        "order-shipped", PHONE, {"order": 7}, extra_id="order-7", tag="shop", callback_url="", reference=order
    )

    body = posts(platform)[-1]
    assert (body["tag"], body["extra_id"], "callback_url" in body) == ("shop", "order-7", False)
    assert message.reference == order


def test_repeated_call_is_the_same_message_though_the_text_has_changed(platform, template):
    first = send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7")
    template.set_channels(texts("Sent"), language="en")

    assert send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7") == first
    assert len(posts(platform)) == 1


def add_the_text(template):
    template.set_channels(texts("Wysłano"), language="pl")


def use_one_value_more(template):
    template.set_channels([SMS(text="%order% %name%", alpha_name="GMSU", ttl=300)], language="en")


def use_one_value_fewer(template):
    template.set_channels([SMS(text="Shipped", alpha_name="GMSU", ttl=300)], language="en")


def empty_the_text(template):
    template.set_channels([], language="en")


def delete_the_template(template):
    template.delete()


@pytest.mark.parametrize(
    "change", [add_the_text, use_one_value_more, use_one_value_fewer, empty_the_text, delete_the_template]
)
def test_repeated_call_is_the_same_message_whatever_became_of_the_template(platform, template, change):
    call = {"phone_number": PHONE, "variables": {"order": 7, "name": "Olena"}, "language": "pl", "extra_id": "order-7"}
    first = send_template("order-shipped", **call)
    change(template)

    assert send_template("order-shipped", **call) == first
    assert len(posts(platform)) == 1


def test_repeated_call_after_a_purge_sends_nothing(platform, template):
    first = send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7")
    Message.objects.update(status="delivered", finished_at="2020-01-01T00:00:00Z")
    purge_personal_data(timedelta(days=1))
    template.set_channels([], language="en")

    assert send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7") == first
    assert len(posts(platform)) == 1


def test_value_that_the_text_does_not_use_may_differ_in_a_repeated_call(platform, template):
    first = send_template("order-shipped", PHONE, {"order": 7, "now": "10:00"}, extra_id="order-7")

    assert send_template("order-shipped", PHONE, {"order": 7, "now": "10:01"}, extra_id="order-7") == first


def test_the_requested_language_is_kept_and_not_sent(platform, template):
    message = send_template("order-shipped", PHONE, {"order": 7}, language="uk_UA")

    assert message.content["language"] == "uk-ua"
    assert "language" not in posts(platform)[-1]


def test_text_that_changes_between_two_calls_at_once_makes_one_message(platform, template, monkeypatch):
    """The other call comes between the look for the message and its insert, and the text changes right before it."""
    look = Message.objects.all().__class__.first
    first = []

    def sent_by_another_thread():
        template.set_channels(texts("%name%"), language="en")
        first.append(send_template("order-shipped", PHONE, values, extra_id="order-7"))
        connections.close_all()

    def look_then_be_overtaken(rows):
        found = look(rows)
        if rows.model is Message and not found and not first:
            monkeypatch.setattr(type(rows), "first", look)
            other = threading.Thread(target=sent_by_another_thread)
            other.start()
            other.join()
        return found

    values = {"order": 7, "name": "Olena"}
    monkeypatch.setattr(Message.objects.all().__class__, "first", look_then_be_overtaken)
    again = send_template("order-shipped", PHONE, values, extra_id="order-7")

    assert [again] == first
    assert len(posts(platform)) == 1


def test_extra_id_of_another_template_is_refused(platform, template):
    send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7")
    Template.objects.create(code="order-lost", name="Lost", language="en").set_channels(texts("Lost"))

    with pytest.raises(ExtraIdError, match="content"):
        send_template("order-lost", PHONE, {"order": 7}, extra_id="order-7")


@pytest.mark.parametrize(
    "changes",
    [
        {"variables": {"order": 8}},
        {"variables": {}},
        {"language": "uk"},
        {"language": "en"},
        {"phone_number": phone(2)},
        {"tag": "other"},
    ],
)
def test_different_call_with_the_same_extra_id_is_refused(platform, template, changes):
    call = {"code": "order-shipped", "phone_number": PHONE, "variables": {"order": 7}, "extra_id": "order-7"}
    send_template(**call)

    with pytest.raises(ExtraIdError):
        send_template(**call | changes)


def test_template_is_sent_from_asynchronous_code(platform, template):
    message = call_async(asend_template, "order-shipped", PHONE, {"order": 7}, language="uk")

    assert sent_text(platform) == "Відправлено 7"
    assert message.template_version == "order-shipped uk 1"


@pytest.mark.parametrize(
    ("approved", "is_warned"),
    [
        ("", False),
        ("Shipped %order%", False),
        ("  Shipped\n%number%  ", False),
        ("Sent %order%", True),
        ("Shipped %order%!", True),
    ],
)
def test_text_that_departs_from_the_approved_one_is_logged(platform, template, caplog, approved, is_warned):
    template.variants.filter(language="en").update(approved_text=approved)
    send_template("order-shipped", PHONE, {"order": 7})

    assert ("departs from the approved one" in caplog.text) is is_warned
    assert "Shipped" not in caplog.text


def test_repeated_call_is_not_logged_again(platform, template, caplog):
    template.variants.filter(language="en").update(approved_text="Sent %order%")
    for _ in range(2):
        send_template("order-shipped", PHONE, {"order": 7}, extra_id="order-7")

    assert caplog.text.count("departs from the approved one") == 1


def test_template_costs_two_queries(template):
    assert len(statements_of(lambda: Template.objects.get(code="order-shipped").get_channels("uk"))) == 2


@pytest.mark.parametrize("position", [1, 2, 3])
def test_edit_between_two_queries_never_gives_a_text_the_number_of_another_version(platform, template, position):
    texts_of = {"order-shipped en 1": "Shipped 7", "order-shipped en 2": "Dispatched 7"}
    reads = []

    def edit_after(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if sql.startswith("SELECT") and "django_hyber_template" in sql:
            reads.append(sql)
            if len(reads) == position:
                template.set_channels(texts("Dispatched"), language="en")
        return result

    with connection.execute_wrapper(edit_after):
        message = send_template("order-shipped", PHONE, {"order": 7})

    assert sent_text(platform) == texts_of[message.template_version]
