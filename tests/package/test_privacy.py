from __future__ import annotations

import pytest

from django_hyber.models import Message
from django_hyber.privacy import mask
from tests.samples import phone

pytestmark = pytest.mark.django_db


def test_masked_row_cannot_be_saved():
    message = Message.objects.create(phone_number=phone(1), extra_id="own-1")
    masked = mask(Message.objects.get())

    assert masked.phone_number != phone(1)
    with pytest.raises(TypeError, match="masked"):
        masked.save()
    message.refresh_from_db()
    assert message.phone_number == phone(1)


def test_masked_row_without_a_number_stays_without_one():
    Message.objects.create(phone_number=None, extra_id="own-1")

    assert mask(Message.objects.get()).phone_number is None
