"""What several admins share: read-only pages, exact search, the field of a phone number, and readable JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import ShowFacets, get_content_type_for_model
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.lists import BigTableList
from django_hyber.admin.common.own_words import OwnWordsMixin
from django_hyber.admin.common.paginators import BigTablePaginator
from django_hyber.admin.common.personal_data import PersonalDataMixin, sees_personal_data, without_numbers
from django_hyber.admin.common.saved import mark_saved
from django_hyber.admin.common.times import EMPTY, shorten_times, with_short_times
from django_hyber.models import Suppression, TestNumber
from django_hyber.words import clean_phone, phone_candidates

FILTER, OWN_FILTER = "admin/filter.html", "admin/django_hyber/filter.html"


class PhoneField(forms.CharField):
    """A phone number as people write it; the cleaned value is its digits, as they are stored."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Phone number"),
            max_length=40,
            widget=AdminTextInputWidget(attrs={"inputmode": "tel", "autocomplete": "off"}),
            help_text=_("For example: +380 67 123 45 67. Spaces, dashes and brackets are allowed."),
            error_messages={"unique": _("This number is already on the list.")},
        )

    def clean(self, value: Any) -> str:
        """Return the digits."""
        return clean_phone(super().clean(value))


class HyberAdmin(PersonalDataMixin, OwnWordsMixin):
    """The base of every admin here: lists stay fast on big tables, and personal data is masked.

    A search finds whole numbers and ids, for which there are indexes; only users who may see numbers search by them.
    """

    empty_value_display = EMPTY
    list_per_page = 50
    list_max_show_all = 200
    paginator = BigTablePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    #: Columns that a search compares with the term itself.
    exact_columns: tuple[str, ...] = ()
    #: The column of the phone number, which a search finds in any notation.
    phone_column = ""
    phone_search_help_text: Any = ""
    #: The text of the button that adds a row.
    add_label: Any = ""
    #: An indexed column of a time by which the list can be filtered.
    time_column = ""

    class Media:
        css = {"all": ("django_hyber/admin/hyber.css",)}
        js = ("django_hyber/admin/unsaved.js",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Use the plural name as the title, with the count: Django's sentence is wrong in languages with cases."""
        context = {"title": capfirst(self.opts.verbose_name_plural)} | (extra_context or {})
        response = super().changelist_view(request, context)
        found = getattr(response, "context_data", None) or {}
        if isinstance(found.get("cl"), BigTableList):
            found.setdefault("subtitle", None)
            found["subtitle"] = found["subtitle"] or found["cl"].count_text
        return response

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Use the name as the title, for the same reason."""
        context = {"title": capfirst(self.opts.verbose_name)} | (extra_context or {})
        return super().changeform_view(request, object_id, form_url, context)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show times in the short form."""
        return with_short_times(self.model, super().get_list_display(request))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show read-only times in the short form."""
        shorten_times(context["adminform"], self.model)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the browser forget what was typed."""
        return mark_saved(request, super().response_add(request, obj, *args, **kwargs))

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        """Let the browser forget what was typed."""
        return mark_saved(request, super().response_change(request, obj))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list for big tables."""
        return BigTableList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Describe below the search field what this user can search for; name the filters by their titles alone."""
        found = super().get_changelist_instance(request)
        for spec in found.filter_specs:
            if spec.template == FILTER:
                spec.template = OWN_FILTER
        if self.phone_column and sees_personal_data(request):
            found.search_help_text = self.phone_search_help_text
        return found

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Offer no search if the user may see none of the searchable columns."""
        if self.phone_column and not self.exact_columns and not sees_personal_data(request):
            return ()
        return super().get_search_fields(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Compare for equality: a substring search would scan the whole table."""
        term = search_term.strip()
        if not term or not (self.exact_columns or self.phone_column):
            return super().get_search_results(request, queryset, search_term)
        condition = Q(pk__in=[])
        for column in self.exact_columns:
            condition |= Q(**{column: term})
        if self.phone_column and sees_personal_data(request):
            condition |= Q(**{f"{self.phone_column}__in": phone_candidates(term)})
        return queryset.filter(condition), False

    def log_chosen(self, request: HttpRequest, chosen: Sequence[Model], text: str) -> None:
        """Log a change of one row, or one entry for a change of many rows."""
        if len(chosen) == 1:
            self.log_change(request, chosen[0], text)
        else:
            self.log_about_list(request, text)

    def log_about_list(self, request: HttpRequest, text: str) -> None:
        """Log an action on many rows, or on the whole list."""
        LogEntry.objects.create(
            user=request.user,  # type: ignore[misc]  # nobody else gets in here
            content_type=get_content_type_for_model(self.model),
            object_repr=str(self.opts.verbose_name_plural),
            action_flag=CHANGE,
            change_message=without_numbers(text),
        )


class NumberListAdmin(HyberAdmin):
    """A list of phone numbers to which people add."""

    add_label = _("Add number")
    search_fields = ("phone_number",)
    phone_search_help_text = _("Enter a full phone number, in any format.")
    phone_column = "phone_number"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse users who may not see numbers: the form reveals which ones are on the list."""
        return sees_personal_data(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse users who may not see the number: the form would show it."""
        return sees_personal_data(request) and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Suppression | TestNumber, form: Any, change: bool) -> None:  # noqa: FBT001
        """Store who has added the number."""
        if not change:
            obj.added_by = request.user.get_username()
        super().save_model(request, obj, form, change)


class OwnerPermissionsMixin:
    """An admin of rows that belong to another model and have its permissions."""

    #: The name of the model whose permissions count.
    owner = ""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow users who may see the owner."""
        return self.may(request, "view") or self.may(request, "change")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow users who may add an owner."""
        return self.may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow users who may change the owner."""
        return self.may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow users who may delete the owner."""
        return self.may(request, "delete")

    def may(self, request: HttpRequest, action: str) -> bool:
        """Return whether the user has this permission of the owner."""
        return request.user.has_perm(f"django_hyber.{action}_{self.owner}")


class ReadOnlyAdmin(HyberAdmin):
    """Read-only pages, the newest rows first: there is no index for another order."""

    ordering = ("-id",)
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only services write rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: rows are history."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: rows are history."""
        return False


def pretty_json(value: object) -> SafeString | str:
    """Return JSON as an indented block, or "" for nothing."""
    if not value:
        return ""
    text = json.dumps(hide_callback_url(value), ensure_ascii=False, indent=2)
    return format_html('<pre class="hyber-json">{}</pre>', text)


def hide_callback_url(value: object) -> object:
    """Show only the host of a callback URL: its path contains the token."""
    if not isinstance(value, dict) or not isinstance(value.get("callback_url"), str) or not value["callback_url"]:
        return value
    return {**value, "callback_url": _host_of(value["callback_url"])}


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.hostname}/…" if parts.hostname else "…"


def link_to(row: Model | None, text: object = None) -> SafeString | str:
    """Return a link to the admin page of a row, or "" for none."""
    if row is None:
        return ""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row if text is None else text)


def described_code(code: int | None, text: str) -> str:
    """Return a code with its meaning, as in "36024 (Phone number incorrect)", or the text alone."""
    if code is None:
        return text or EMPTY
    return f"{code} ({text})" if text else str(code)


def amount_text(value: Decimal | None, currency: str) -> str:
    """Return an amount of money with its currency, or a dash if it is unknown."""
    if value is None:
        return EMPTY
    amount = str(number_format(value, decimal_pos=2, force_grouping=True))
    # A no-break space: the currency stays with its number.
    return f"{amount}\u00a0{currency}" if currency else amount
