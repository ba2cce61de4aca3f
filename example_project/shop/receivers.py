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


@receiver(post_save, sender=Order)
def send_shipping_notice(instance: Order, *, raw: bool = False, **kwargs: Any) -> None:
    """Send one message when an order is shipped, however often it is saved. Never prevent it from being saved."""
    if raw or instance.status != Order.Status.SHIPPED:
        return
    text = f"Your order {instance.pk} is on its way."
    channels = [Viber(text=text, ttl=60), SMS(text=text, alpha_name="SHOP", ttl=300)]
    try:
        with transaction.atomic():
            send_message(
                instance.phone, channels, extra_id=f"order-{instance.pk}-shipped", reference=instance, tag="shipping"
            )
    except Exception:
        logger.exception("Order %s is shipped without a message", instance.pk)


@receiver(message_status_changed, sender=Message)
def note_on_order(message: Message, **kwargs: Any) -> None:
    """Note the outcome on the order. Two workers may call this in either order: the status is read from the row."""
    if message.campaign_id or not isinstance(message.reference, Order):
        return
    ShippingNotice.objects.get_or_create(order=message.reference, defaults={"extra_id": message.extra_id})
    current = Message.objects.filter(extra_id=OuterRef("extra_id"))
    ShippingNotice.objects.filter(extra_id=message.extra_id).update(
        status=Subquery(current.values("status")[:1]), channel=Subquery(current.values("channel")[:1])
    )
