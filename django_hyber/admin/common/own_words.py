"""What the admin says after saving and deleting. Django's sentences are wrong in languages with cases and genders."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_hyber.admin.common.paginators import grouped

#: The attribute of the request with the sentence that is shown instead of Django's.
OWN = "hyber_own_words"


class OwnWordsMixin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Names what was saved or deleted as it stands in a list, outside the sentence."""

    def message_user(
        self, request: HttpRequest, message: Any, level: int | str = messages.INFO, *args: Any, **kwargs: Any
    ) -> None:
        """Show the own sentence, if there is one, instead of the first one about a success."""
        own = request.__dict__.pop(OWN, None) if level == messages.SUCCESS else None
        super().message_user(request, own or message, level, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Say what was added."""
        self._say(request, _("The {kind} “{row}” was added successfully."), self._name(request, obj))
        return super().response_add(request, obj, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        """Say what was saved."""
        self._say(request, _("The {kind} “{row}” was changed successfully."), self._name(request, obj))
        return super().response_change(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> Any:
        """Say what was deleted."""
        self._say(request, _("The {kind} “{row}” was deleted successfully."), obj_display)
        return super().response_delete(request, obj_display, obj_id)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Say how many rows the action has deleted; it logs them first."""
        setattr(request, OWN, _("Deleted: %(count)s.") % {"count": grouped(len(queryset))})
        return super().log_deletions(request, queryset)

    def _say(self, request: HttpRequest, text: str, row: object) -> None:
        setattr(request, OWN, format_html(text, kind=self.opts.verbose_name, row=row))

    def _name(self, request: HttpRequest, row: Model) -> SafeString | str:
        """The row as a link, for a user who may open it."""
        if not self.has_view_or_change_permission(request, row):
            return str(row)
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return format_html('<a href="{}">{}</a>', address, row)
