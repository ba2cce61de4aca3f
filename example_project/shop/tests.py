"""How a project tests its own sending over HTTP: with the sandbox in the test process. Most need only the outbox."""
# ruff: noqa: PT009, PT027 - for Django's own test runner

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings
from django.urls import reverse

from django_hyber.models import Message
from django_hyber.sandbox import Sandbox
from django_hyber.services import apply_delivery_reports
from shop.models import Order, ShippingNotice


class ShippingNoticeTests(TransactionTestCase):
    def setUp(self) -> None:
        self.sandbox = self.enterContext(Sandbox(latency=0.01))
        account: dict[str, Any] = {"CLIENT_ID": "sandbox", "LOGIN": "sandbox", "PASSWORD": "sandbox"}
        urls = dict.fromkeys(("API_URL", "BULK_URL", "REPORTS_URL"), self.sandbox.url)
        self.enterContext(override_settings(HYBER={"default": account | urls}, HYBER_TESTING="wire"))
        self.order = Order.objects.create(customer="Olena", phone="067 123 45 01")

    def ship(self, order: Order) -> None:
        order.status = Order.Status.SHIPPED
        order.save()

    def report(self, **facts: Any) -> None:
        message = Message.objects.get()
        report = {"message_id": message.message_id, "extra_id": message.extra_id, "number": message.phone_number}
        apply_delivery_reports([report | {"time": 1_900_000_000_000, **facts}])

    def test_shipped_order_sends_one_message_however_often_it_is_saved(self) -> None:
        loaded_before = Order.objects.get()
        self.ship(self.order)
        self.ship(self.order)
        self.ship(loaded_before)
        self.assertEqual(self.sandbox.ledger.taken, 1)
        self.assertEqual(Message.objects.get().phone_number, "380671234501")

    def test_order_that_is_not_shipped_sends_nothing(self) -> None:
        self.order.status = Order.Status.PAID
        self.order.save()
        self.assertEqual(self.sandbox.ledger.requests, 0)

    def test_rolled_back_shipping_sends_nothing_and_can_be_repeated(self) -> None:
        with transaction.atomic():
            self.ship(self.order)
            transaction.set_rollback(True)
        self.assertEqual(self.sandbox.ledger.requests, 0)
        self.ship(self.order)
        self.assertEqual(self.sandbox.ledger.taken, 1)

    def test_nothing_is_sent_before_the_commit(self) -> None:
        with transaction.atomic():
            self.ship(self.order)
            self.assertEqual(self.sandbox.ledger.requests, 0)
        self.assertEqual(self.sandbox.ledger.taken, 1)

    def test_acceptance_is_noted(self) -> None:
        self.ship(self.order)
        self.assertEqual(ShippingNotice.objects.get(order=self.order).status, Message.Status.ACCEPTED)

    def test_delivery_is_noted_with_the_channel_that_won(self) -> None:
        self.ship(self.order)
        self.report(status=2, substatus=23, hyber_status=23011, sent_via="sms")
        notice = ShippingNotice.objects.get(order=self.order)
        self.assertEqual((notice.status, notice.channel), (Message.Status.DELIVERED, "sms"))

    def test_saving_an_old_copy_of_the_order_keeps_what_was_noted(self) -> None:
        loaded_before = Order.objects.get()
        self.ship(self.order)
        loaded_before.customer = "Olena K."
        loaded_before.save()
        self.assertEqual(ShippingNotice.objects.get().status, Message.Status.ACCEPTED)

    def test_wrong_phone_number_does_not_keep_the_order_from_being_saved(self) -> None:
        order = Order.objects.create(customer="Taras", phone="12")
        with self.assertLogs("shop.receivers", "ERROR"):
            self.ship(order)
        order.refresh_from_db()
        self.assertEqual(order.status, Order.Status.SHIPPED)
        self.assertFalse(Message.objects.exists())

    def test_wrong_settings_do_not_keep_the_order_from_being_saved(self) -> None:
        with override_settings(HYBER={"default": {"RETRY_DELAY": 0}}), self.assertLogs("shop.receivers", "ERROR"):
            self.ship(self.order)
        self.order.refresh_from_db()
        self.assertEqual(self.order.status, Order.Status.SHIPPED)

    def test_failing_query_does_not_undo_the_transaction_of_the_order(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE django_hyber_message RENAME TO elsewhere")
        try:
            with transaction.atomic(), self.assertLogs("shop.receivers", "ERROR"):
                self.ship(self.order)
                self.order.refresh_from_db()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE elsewhere RENAME TO django_hyber_message")
        self.assertEqual(self.order.status, Order.Status.SHIPPED)

    def test_changed_number_sends_no_second_message(self) -> None:
        self.ship(self.order)
        self.order.phone = "067 123 45 02"
        with self.assertLogs("shop.receivers", "ERROR"):
            self.order.save()
        self.assertEqual(self.sandbox.ledger.taken, 1)

    def test_form_refuses_a_wrong_phone_number(self) -> None:
        with self.assertRaises(ValidationError):
            Order(customer="Taras", phone="12").full_clean()

    def test_orders_in_the_admin_show_the_notice(self) -> None:
        self.ship(self.order)
        self.client.force_login(get_user_model().objects.create_superuser("demo"))
        self.assertContains(self.client.get(reverse("admin:shop_order_changelist")), "accepted")
