"""The code of the documentation, run against the sandbox."""

from __future__ import annotations

import unittest

import pytest
from django.contrib import admin
from django.contrib.auth.hashers import check_password
from django.core.cache import cache
from django.db.models.signals import post_save

from django_hyber.conf import get_account
from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.services import import_recipients, send_message
from django_hyber.testing import clear_outbox, outbox
from tests.builders import call_async, posts
from tests.docs.code import ROOT, code_of, run
from tests.samples import PHONE
from tests.store.models import Customer, Order

pytestmark = pytest.mark.django_db(transaction=True)
OWN_MODELS = "from shop.models import Order, ShippingNotice\n"


@pytest.fixture
def recipe():
    """The receiver of the example project, which docs/howto/model-signals.rst shows, for the model of these tests.

    It is disconnected at the end. Signals keep no receivers alive, so it is kept here until then.
    """
    connected = list(post_save.receivers)
    code = (ROOT / "example_project" / "shop" / "receivers.py").read_text().replace(OWN_MODELS, "")
    yield run(code.split("@receiver(message_status_changed")[0], Order=Order, __name__="shop")
    post_save.receivers[:] = connected
    post_save.sender_receivers_cache.clear()


def test_recipe_for_model_signals_sends_one_message_about_a_shipped_order(platform, recipe):
    order = Order.objects.create(phone=PHONE)
    order.status = Order.Status.SHIPPED
    order.save()
    order.save()

    assert len(posts(platform)) == 1
    assert Message.objects.get().reference == order


@pytest.mark.parametrize("broken", [{"phone": "no number"}, {"phone": "+380 67 000 00 02"}])
def test_recipe_for_model_signals_never_prevents_an_order_from_being_saved(platform, recipe, broken):
    order = Order.objects.create(phone=PHONE, status=Order.Status.SHIPPED)
    order.phone = broken["phone"]
    order.save()

    order.refresh_from_db()
    assert order.phone == broken["phone"]
    assert len(posts(platform)) == 1


def test_recipe_for_model_signals_survives_wrong_settings(platform, recipe, settings):
    settings.HYBER = {"default": {"RETRY_DELAY": 0}}
    order = Order.objects.create(phone=PHONE, status=Order.Status.SHIPPED)

    assert Order.objects.get() == order


def test_page_of_single_messages_is_true(platform, capsys):
    first, about, cancel, from_async, code = code_of("docs/messages.rst")
    assert run(first)["message"].extra_id == "order-7-shipped"
    order = Order.objects.create(phone=PHONE)
    send_message(PHONE, [SMS(text="Hi", alpha_name="SHOP", ttl=300)], reference=order)
    names = run(about, order=order)
    run(cancel, message=names["message"])
    assert "It is on its way, or was sent: accepted" in capsys.readouterr().out

    names = run(from_async, SMS=SMS)
    call_async(names["confirm"], PHONE)
    message = run(code)["send_code"](7, PHONE)
    sent = posts(platform)[-1]["channel_options"]["sms"]
    assert sent["ttl"] == 300
    assert check_password(sent["text"].split("code is ")[1][:6], cache.get("code-7"))
    message.refresh_from_db()
    assert message.status == "accepted"


def test_page_of_tests_is_true(recipe, settings):
    settings.HYBER_TESTING = ""
    cases, with_pytest = code_of("docs/testing.rst")
    tests = run(cases, Order=Order, Message=Message, __name__="shop")["ShippingTests"]
    # As a runner runs it, in the transaction of the TestCase.
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(result)
    assert (result.testsRun, result.errors, result.failures) == (2, [], [])

    clear_outbox()
    run(with_pytest, Order=Order)["test_shipped_order_sends_a_message"](outbox)


def test_page_of_staging_is_true(settings):
    allowed, redirected = code_of("docs/howto/staging.rst")
    # The code changes the account in place, which is that of all tests.
    settings.HYBER = {"default": dict(settings.HYBER["default"])}
    run(allowed, HYBER=settings.HYBER)
    run(redirected, HYBER=settings.HYBER)

    assert get_account().allowed_numbers == ("380671234567", "38050*")
    assert get_account().redirect_to == "380671234567"


def test_page_of_templates_is_true(platform):
    create, send, campaign = code_of("docs/templates.rst")
    run(create)
    message = run(send, phone=PHONE)["message"]
    assert posts(platform)[-1]["channel_options"] == {
        "sms": {"text": "Замовлення 7 в дорозі.", "alpha_name": "SHOP", "ttl": 300}
    }
    assert message.template_version == "order-shipped uk 1"
    assert len(run(campaign)["campaign"].get_channels()) == 2


def test_page_of_audiences_is_true(platform, settings):
    customer = Customer.objects.create(first_name="Olena", phone=PHONE, city="Kyiv")
    Customer.objects.create(first_name="Taras", phone="380961111112", city="Lviv")
    from_code, of_values, audience, setting, in_admin = code_of("docs/audiences.rst")
    names = run(from_code, Customer=Customer)
    assert names["report"].accepted == 1
    assert posts(platform)[0]["recipients"][0]["name"] == "Olena"
    assert Message.objects.about(customer).get().campaign == names["campaign"]

    draft = Campaign.objects.create(name="Thanks")
    Order.objects.bulk_create(Order(customer=customer, phone="") for _number in range(2))
    run(of_values, Order=Order, campaign=draft, import_recipients=import_recipients)
    assert draft.messages.get().variables == {"orders": "2"}

    found = run(audience, Customer=Customer)["customers_in_kyiv"]()
    assert (found.label, found.queryset.get()) == ("Customers in Kyiv", customer)
    settings.HYBER = {"default": dict(settings.HYBER["default"])}
    run(setting, HYBER=settings.HYBER)
    assert get_account().audiences == {"customers": "shop.audiences.customers_in_kyiv"}
    model_admin = run(in_admin, __name__="shop")["CustomerAdmin"](Customer, admin.site)
    assert model_admin.check() == []
