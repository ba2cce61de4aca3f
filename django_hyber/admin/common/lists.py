"""List pages that never count a big table and never sort without an index."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_hyber.admin.common.paginators import MOST_COUNTED, BigTablePaginator, grouped
from django_hyber.admin.common.personal_data import for_reader

#: The fields of a list's form apart from the checkboxes of the rows.
OTHER_FIELDS = 20
#: Numbers up to this one need no separators.
MOST_UNGROUPED = 999


class BigTableList(ChangeList):
    """A list that takes a constant number of queries, whatever its length."""

    paginator: BigTablePaginator

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Give an action the rows that were found for the list, because the filters may query to narrow them."""
        found: QuerySet[Any] | None = getattr(self, "queryset", None)
        if found is None or args or kwargs:
            return super().get_queryset(request, *args, **kwargs)
        return found.all()

    def get_results(self, request: HttpRequest) -> None:
        """Find the page; if it does not exist, show the last page and a warning."""
        self._limit_page()
        self.page_num = max(1, self.page_num)
        super().get_results(request)
        self.result_list = for_reader(request, self.result_list)
        is_narrowed = bool(self.query or self.has_active_filters)
        if self.paginator.is_cut_off or self.result_count > MOST_UNGROUPED or not is_narrowed:
            # Beside the search, Django would show the limit as the number of results, a number without separators, or
            # a link to all rows where all are shown.
            self.full_result_count = self.result_count
        last = self.paginator.num_pages
        if self.page_num > last:
            self.page_num = last
            self._explain(request)

    def get_ordering_field(self, field_name: Any) -> Any:
        """Sort only by columns that the list offers, whatever the URL says."""
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Sort by the time column if the list is filtered by it: otherwise a filter for today scans all rows."""
        column = self.model_admin.time_column  # type: ignore[attr-defined]  # every list is one of a HyberAdmin
        if column and any(name.startswith(f"{column}__") for name in request.GET):
            return [f"-{column}", "-pk"]
        return list(super().get_ordering(request, queryset))

    @property
    def shown_count(self) -> str:
        """The number of rows, as in "more than 10,000" where there are more than were counted."""
        count = grouped(self.result_count)
        return _("more than %(count)s") % {"count": count} if self.paginator.is_cut_off else count

    @property
    def count_text(self) -> str:
        """The number of rows with a word that needs no case of the rows' name."""
        return _("Found: %(count)s") % {"count": self.shown_count}

    @property
    def count_note(self) -> str:
        """Advice on a list that is too long to page through."""
        return self._advice() if self.paginator.is_cut_off else ""

    def _limit_page(self) -> None:
        """Respect DATA_UPLOAD_MAX_NUMBER_FIELDS: every row has a checkbox."""
        allowed: int | None = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        if allowed is None:
            return
        most = max(1, allowed - OTHER_FIELDS)
        self.list_per_page = min(self.list_per_page, most)
        self.list_max_show_all = min(self.list_max_show_all, most)

    def _explain(self, request: HttpRequest) -> None:
        if self.paginator.is_cut_off:
            messages.warning(request, self._advice())
        else:
            messages.warning(request, _("That page does not exist. This is the last one."))

    def _advice(self) -> str:
        text = _("Only the first %(count)s can be shown: narrow the list with a filter or a search.")
        return text % {"count": grouped(MOST_COUNTED)}
