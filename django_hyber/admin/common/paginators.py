"""Pages of big tables: rows are counted, and can be paged through, up to a limit."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import EmptyPage, Paginator
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
        return min(self._counted, MOST_COUNTED)

    @property
    def is_cut_off(self) -> bool:
        """There are more rows than the pages show."""
        return self._counted > MOST_COUNTED

    def validate_number(self, number: Any) -> int:
        """Return the last page instead of raising for one beyond it."""
        try:
            return super().validate_number(number)
        except EmptyPage:
            return min(max(1, int(number)), self.num_pages)

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: MOST_COUNTED + 1].count()


def grouped(number: int) -> str:
    """Return a number with thousand separators, even without USE_THOUSAND_SEPARATOR."""
    return str(number_format(number, force_grouping=True))
