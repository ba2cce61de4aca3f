"""Orders that are shipped, and one that is not after all: what the shop's receivers make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from django_hyber.models import Message
from shop.demo.recipients import End, end_for
from shop.models import Order, ShippingNotice

#: Delivered, fallback to SMS, seen, and an answer that is lost on the way.
CUSTOMERS: Mapping[str, str] = {
    "380501112201": "Ірина",
    "380501112290": "Petro",
    "380501112291": "Mykola",
    "380501112294": "Софія",
}
CHANGED_MIND = ("380501112202", "Denys")


@dataclass(frozen=True, kw_only=True)
class ShippedOrder:
    """An order with the end that its notice must have, and what the order itself says about it."""

    order: Order
    end: End
    noted: End

    @property
    def is_as_it_should_be(self) -> bool:
        return self.noted == self.end


def place_orders() -> None:
    """Ship the orders, each saved more often than it should be, and stop one in the middle."""
    for phone, customer in CUSTOMERS.items():
        order = Order.objects.create(customer=customer, phone=f"+{phone}")
        loaded_before = Order.objects.get(pk=order.pk)
        for copy in (order, order, loaded_before):
            copy.status = Order.Status.SHIPPED
            copy.save()
    _stop_in_the_middle()


def _stop_in_the_middle() -> None:
    phone, customer = CHANGED_MIND
    order = Order.objects.create(customer=customer, phone=f"+{phone}", status=Order.Status.PAID)
    with transaction.atomic():
        order.status = Order.Status.SHIPPED
        order.save()
        transaction.set_rollback(True)


def shipped_orders() -> list[ShippedOrder]:
    """Return the shipped orders with what is noted about their notices."""
    notices = ShippingNotice.objects.select_related("order").order_by("order_id")
    return [
        ShippedOrder(
            order=notice.order,
            end=end_for(notice.order.phone),
            noted=End(status=notice.status, channel=notice.channel),
        )
        for notice in notices
    ]


def single_messages() -> int:
    """Count the messages that belong to no campaign: one for each shipped order."""
    return Message.objects.filter(campaign=None).count()
