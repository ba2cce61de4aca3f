from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models
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
    return ContentType.objects.get_for_model(instance).pk, reference_key(type(instance), key)


def reference_key(model: type[models.Model], key: Any) -> str:
    """Return the text of a primary key of this model. Raises ValueError if its objects cannot be referred to."""
    text = str(key)
    if isinstance(key, tuple) or len(text) > MAX_KEY_LENGTH:
        raise ValueError(
            f"The reference needs a primary key of one column and at most {MAX_KEY_LENGTH} characters; "
            f"that of {model._meta.label} is different."
        )
    return text
