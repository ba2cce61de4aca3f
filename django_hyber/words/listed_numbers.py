"""The numbers that code puts on the opt-out list or among the test numbers, stored as those of messages are."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_save
from django.dispatch import receiver

from django_hyber.models import Suppression, TestNumber
from django_hyber.protocol import InvalidPhone, normalize_phone
from django_hyber.words import home_region


@receiver(pre_save, sender=Suppression)
@receiver(pre_save, sender=TestNumber)
def write_in_full(instance: Suppression | TestNumber, *, raw: bool = False, **_kwargs: Any) -> None:
    """Write a number of the home country with its code: without it, "067 123 45 67" would be nobody's.

    What is a number in international form stays as it is, and so does what is no number by now.
    """
    if raw:
        return
    for written, region in ((f"+{instance.phone_number}", None), (instance.phone_number, home_region())):
        try:
            instance.phone_number = normalize_phone(written, region)
        except InvalidPhone:
            continue
        return
