"""Pages of big tables: small results are counted, big ones never are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import EmptyPage, Page, Paginator
from django.db import connections
from django.db.models import QuerySet
from django.utils.formats import number_format

#: What is counted one by one, and as far as one can turn the pages of a search or a filter.
MOST_COUNTED = 10_000
_SIGNIFICANT_DIGITS = 3
_ESTIMATES = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = %s::regclass",
    "mysql": "SELECT table_rows FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
    # Each of the two is a look at one end of the table; MAX and MIN of one SELECT would read all of it.
    "sqlite": "SELECT (SELECT MAX(rowid) FROM {table}) - (SELECT MIN(rowid) FROM {table}) + 1",
}


class BigTablePaginator(Paginator):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Counts up to MOST_COUNTED rows; a whole table beyond that is estimated, and a bigger result is cut off there."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """How many rows the pages show: all, if there are no more than MOST_COUNTED."""
        counted = len(self._first_keys)
        if counted <= MOST_COUNTED:
            return counted
        return max(estimate_rows(self.object_list), counted) if self.is_whole_table else MOST_COUNTED

    @property
    def is_whole_table(self) -> bool:
        """Nothing narrows the rows down."""
        return not self.object_list.query.where

    @property
    def is_cut_off(self) -> bool:
        """There are more rows than the pages show."""
        return len(self._first_keys) > MOST_COUNTED and not self.is_whole_table

    @property
    def is_estimated(self) -> bool:
        """The number of rows is what the database takes it for."""
        return len(self._first_keys) > MOST_COUNTED and self.is_whole_table

    def validate_number(self, number: Any) -> int:
        """Take the last page for one that is beyond it."""
        try:
            return super().validate_number(number)
        except EmptyPage:
            return min(max(1, int(number)), self.num_pages)

    def page(self, number: Any) -> Any:
        """Return a page; of the rows that are skipped before it nothing but the keys is read."""
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        return Page(self.rows(start, start + self.per_page), number, self)

    def rows(self, start: int, end: int) -> list[Any]:
        """Return the rows from one place in the order up to another."""
        if end <= MOST_COUNTED or not self.is_whole_table:
            keys = self._first_keys[start : min(end, MOST_COUNTED)]
        else:
            keys = list(self.object_list.values_list("pk", flat=True)[start:end])
        chosen = self.object_list.order_by()
        # The keys alone say which rows: with more conditions, or an order, SQLite would walk through an index of those.
        chosen.query.clear_where()
        found = {row.pk: row for row in chosen.filter(pk__in=keys)}
        return [found[key] for key in keys if key in found]

    @cached_property
    def _first_keys(self) -> list[Any]:
        """The count and nearly every page that anybody opens, from one look at the table."""
        return list(self.object_list.values_list("pk", flat=True)[: MOST_COUNTED + 1])


def estimate_rows(rows: QuerySet[Any]) -> int:
    """Return about how many rows the table has, as its database knows without counting; 0 if it does not."""
    connection = connections[rows.db]
    statement = _ESTIMATES.get(connection.vendor)
    if statement is None:
        return 0
    table = rows.model._meta.db_table
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        parameters = [] if connection.vendor == "sqlite" else [quoted if connection.vendor == "postgresql" else table]
        cursor.execute(statement.format(table=quoted), parameters)
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def grouped(number: int) -> str:
    """Return a number with the separators of the reader's language, whatever the project's settings say."""
    return str(number_format(number, force_grouping=True))


def rounded(number: int) -> int:
    """Return a number to the precision that an estimate has."""
    unit: int = 10 ** max(0, len(str(number)) - _SIGNIFICANT_DIGITS)
    return round(number / unit) * unit
