from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models, router
from django.utils.translation import gettext_lazy as _

MAX_KEY_LENGTH = 255


class ReferenceModel(models.Model):
    """A row that may refer to an object of the project, of any model.

    The columns are empty for most rows of a campaign. There is no constraint in the database, because the object and
    its content type may be in another database, and because a message stays when its object is deleted.
    """

    reference_type = models.ForeignKey(
        ContentType,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("kind of object"),
        db_constraint=False,
        # The index of the model has both columns.
        db_index=False,
    )
    # NULL like the other column, so that rows without a reference take no space.
    reference_id = models.CharField(  # noqa: DJ001
        _("object id"), max_length=MAX_KEY_LENGTH, null=True, blank=True, editable=False
    )

    #: For what Django offers for generic relations, such as inlines. ``reference`` works across databases as well.
    generic_reference = GenericForeignKey("reference_type", "reference_id")

    class Meta:
        abstract = True

    @property
    def reference(self) -> models.Model | None:
        """The object that the row refers to, or None if there is none or it is gone. Each access is a query."""
        if self.reference_type_id is None:
            return None
        try:
            model = ContentType.objects.get_for_id(self.reference_type_id).model_class()
            return model._base_manager.filter(pk=self.reference_id).first() if model else None
        except (ContentType.DoesNotExist, ValueError, ValidationError):
            # The model was removed, or its primary key has another type now.
            return None

    @reference.setter
    def reference(self, instance: models.Model | None) -> None:
        self.reference_type_id, self.reference_id = reference_columns(instance)


def reference_columns(instance: models.Model | None) -> tuple[int | None, str | None]:
    """Return the values of both columns for this object. Raises TypeError or ValueError if it cannot be referred to."""
    if instance is None:
        return None, None
    if not isinstance(instance, models.Model):
        raise TypeError(f"The reference must be a model instance or None, not {type(instance).__name__}.")
    key = instance.pk
    if key is None:
        raise ValueError(f"The {instance._meta.label} of the reference has no primary key yet. Save it first.")
    if instance._state.db:
        refuse_other_database(type(instance), instance._state.db)
    return ContentType.objects.get_for_model(instance).pk, reference_key(type(instance), key)


def refuse_other_database(model: type[models.Model], alias: str) -> None:
    """Raise ValueError if objects of the model in this database cannot be referred to.

    The reference looks where the routers say, and would find another object with the same key. Whether objects of two
    databases may refer to each other, as those of a replica do, is a question that Django's routers answer.
    """
    looked_in = router.db_for_read(model)
    if alias == looked_in:
        return
    own, other = model(), model()
    own._state.db, other._state.db = looked_in, alias
    if not router.allow_relation(other, own):
        raise ValueError(
            f"The reference would find another {model._meta.label}: it looks in the database {looked_in!r}, "
            f"and this one is in {alias!r}."
        )


def reference_key(model: type[models.Model], key: Any) -> str:
    """Return the text of a primary key of this model. Raises ValueError if its objects cannot be referred to."""
    text = "" if isinstance(key, tuple) else _key_text(model._meta.pk, key)
    if not text or len(text) > MAX_KEY_LENGTH:
        raise ValueError(
            f"The reference needs a primary key of one column and at most {MAX_KEY_LENGTH} characters; "
            f"that of {model._meta.label} is different."
        )
    return text


def _key_text(field: Any, key: Any) -> str:
    """Return the text of a key as the database returns it: code may have given a UUID as a text, or 1.5 for 1.50."""
    while field.remote_field:
        field = field.target_field
    try:
        value = field.to_python(key)
    except ValidationError as error:
        raise ValueError(f"The reference has the key {key!r}, which is none of {field.model._meta.label}.") from error
    if isinstance(field, models.DecimalField):
        value = value.quantize(Decimal(1).scaleb(-field.decimal_places))
    elif isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC)
    return str(value)
