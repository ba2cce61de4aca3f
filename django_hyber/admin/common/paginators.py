"""Pages of big tables: rows are counted, and can be paged through, up to a limit."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import EmptyPage, Page, Paginator
from django.db.models import QuerySet
from django.utils.formats import number_format

#: No more rows than this are counted or paged through.
MOST_COUNTED = 10_000


class BigTablePaginator(Paginator):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """The pages of the first MOST_COUNTED rows; beyond that, only that there are more is known."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """How many rows the pages show."""
        return min(len(self._first_keys), MOST_COUNTED)

    @property
    def is_cut_off(self) -> bool:
        """There are more rows than the pages show."""
        return len(self._first_keys) > MOST_COUNTED

    def validate_number(self, number: Any) -> int:
        """Return the last page instead of raising for one beyond it."""
        try:
            return super().validate_number(number)
        except EmptyPage:
            return min(max(1, int(number)), self.num_pages)

    def page(self, number: Any) -> Any:
        """Return a page. Of the rows before it only the keys are read."""
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        return Page(self.rows(start, start + self.per_page), number, self)

    def rows(self, start: int, end: int) -> list[Any]:
        """Return a slice of the rows."""
        keys = self._first_keys[start : min(end, MOST_COUNTED)]
        chosen = self.object_list.order_by()
        # The keys are enough: with other conditions or an order, SQLite would use a slower index.
        chosen.query.clear_where()
        found = {row.pk: row for row in chosen.filter(pk__in=keys)}
        return [found[key] for key in keys if key in found]

    @cached_property
    def _first_keys(self) -> list[Any]:
        """The count and every page, from one query."""
        return list(self.object_list.values_list("pk", flat=True)[: MOST_COUNTED + 1])


def grouped(number: int) -> str:
    """Return a number with thousand separators, even without USE_THOUSAND_SEPARATOR."""
    return str(number_format(number, force_grouping=True))
