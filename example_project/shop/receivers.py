from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.signals import post_save
from django.dispatch import receiver

from django_hyber.models import Message
from django_hyber.protocol import SMS, Viber
from django_hyber.services import send_message
from django_hyber.signals import message_status_changed
from shop.models import Order, ShippingNotice

logger = logging.getLogger(__name__)
ALPHA_NAME = "Shop"


@receiver(post_save, sender=Order)
def send_shipping_notice(instance: Order, *, raw: bool = False, **kwargs: Any) -> None:
    """Tell the customer once that the order is on its way, however often it is saved and by whom."""
    if raw or instance.status != Order.Status.SHIPPED:
        return
    try:
        with transaction.atomic():
            _send_once(instance)
    except ValueError as error:
        # A wrong phone number must not keep the order from being saved.
        logger.warning("Order %s ships without a notice: %s", instance.pk, error)


def _send_once(order: Order) -> None:
    extra_id = f"order-{order.pk}-shipped"
    _, is_first = ShippingNotice.objects.get_or_create(order=order, defaults={"extra_id": extra_id})
    if is_first:
        text = f"Your order {order.pk} is on its way."
        channels = [Viber(text=text, ttl=60), SMS(text=text, alpha_name=ALPHA_NAME, ttl=300)]
        # Sent after the commit of the order: if that is rolled back, nothing is sent.
        send_message(order.phone, channels, extra_id=extra_id, tag="shipping")


@receiver(message_status_changed, sender=Message)
def note_on_order(message: Message, **kwargs: Any) -> None:
    """Note what became of a notice. Two workers may come here in either order: what is noted is read from the row."""
    if message.campaign_id:
        return
    current = Message.objects.filter(extra_id=OuterRef("extra_id"))
    ShippingNotice.objects.filter(extra_id=message.extra_id).update(
        status=Subquery(current.values("status")[:1]), channel=Subquery(current.values("channel")[:1])
    )
