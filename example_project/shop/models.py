from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.models import Message
from django_hyber.protocol import InvalidPhone, normalize_phone


def validate_phone(value: str) -> None:
    try:
        normalize_phone(value)
    except InvalidPhone as error:
        raise ValidationError(gettext(error.reason), code="phone") from None


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new", _("new")
        PAID = "paid", _("paid")
        SHIPPED = "shipped", _("shipped")

    customer = models.CharField(_("customer"), max_length=100)
    phone = models.CharField(_("phone"), max_length=20, validators=[validate_phone])
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.NEW)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-id",)

    def __str__(self) -> str:
        return gettext("Order %(number)s") % {"number": self.pk}


class ShippingNotice(models.Model):
    """The message to the customer about the shipping, and its result.

    A table of its own, because ``order.save()`` writes every column: saving an order that was loaded a minute ago would
    undo what has been noted since.
    """

    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="notice", verbose_name=_("order"))
    extra_id = models.CharField(_("message"), max_length=64, unique=True)
    # Without choices: a status that a later django-hyber adds would want a migration here.
    status = models.CharField(_("status"), max_length=12, default=Message.Status.QUEUED)
    channel = models.CharField(_("channel"), max_length=16, blank=True)

    class Meta:
        verbose_name = _("shipping notice")
        verbose_name_plural = _("shipping notices")

    def __str__(self) -> str:
        return self.extra_id
