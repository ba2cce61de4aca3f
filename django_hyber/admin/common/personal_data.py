"""Pages for users who may not see personal data: it is masked, and cannot be searched or filtered by.

Rows are masked where the admin gets them to show them: the row of a page in ``get_object``, those of a list in its
``ChangeList``, those to delete in ``get_deleted_objects``. What is logged is always masked.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from django_hyber.privacy import HIDDEN_COLUMNS, mask, mask_phones_in

Row = TypeVar("Row", bound=Model)


def sees_personal_data(request: HttpRequest) -> bool:
    """Return whether the user may see phone numbers, values and texts in full."""
    return request.user.has_perm("django_hyber.view_personal_data")


def for_reader(request: HttpRequest, rows: Iterable[Row]) -> list[Row]:
    """Return the rows as the user may see them."""
    return list(rows) if sees_personal_data(request) else masked_copies(rows)


def masked_copies(rows: Iterable[Row]) -> list[Row]:
    """Return masked copies for the admin's log, which is never purged and which more users can read."""
    return [mask(copy.copy(row)) for row in rows]


def without_numbers(message: Any) -> Any:
    """Return a text for the admin's log without whole phone numbers; a structured message names only fields."""
    return mask_phones_in(message) if isinstance(message, str) else message


class PersonalDataMixin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Masks every row before an admin page shows it, unless the user may see personal data."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row of a page as the user may see it."""
        row = super().get_object(request, object_id, from_field)
        return row and for_reader(request, [row])[0]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the rows on the confirmation page as the user may see them."""
        return super().get_deleted_objects(for_reader(request, objs), request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow no filter by personal data to users who may not see it: they could find it out by filtering."""
        if not sees_personal_data(request) and HIDDEN_COLUMNS.intersection(lookup.split("__")):
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """Allow no sorting by personal data, for the same reason."""
        columns = super().get_sortable_by(request)
        if sees_personal_data(request):
            return columns
        return [column for column in columns if column not in HIDDEN_COLUMNS]

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Log what was added, its number masked."""
        return super().log_addition(request, masked_copies([obj])[0], without_numbers(message))

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Log what was changed, its number masked."""
        return super().log_change(request, masked_copies([obj])[0], without_numbers(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Log what was deleted, the numbers masked."""
        rows: Any = masked_copies(queryset)
        return super().log_deletions(request, rows)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Name what was added by its mask: the text waits in a cookie or a session until it is shown."""
        return super().response_add(request, masked_copies([obj])[0], *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        """Name what was changed by its mask, for the same reason."""
        return super().response_change(request, masked_copies([obj])[0])

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> Any:
        """Name what was deleted by its mask, for the same reason."""
        return super().response_delete(request, mask_phones_in(obj_display), obj_id)
