"""The audiences of the project that may be chosen in the admin, by name: the setting AUDIENCES."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query
from django.utils.module_loading import import_string

from django_hyber.conf import Account
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.protocol import check_variable_name

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

_OVER = re.compile(r"\bOVER\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Objects of the project that can become recipients. The fields are named as in ``import_recipients``."""

    queryset: QuerySet[Any]
    label: str | StrPromise = ""
    phone: str = "phone"
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_free_order(self) -> bool:
        """Return whether the rows stay the same if they are filtered and ordered again.

        Windows and DISTINCT ON depend on all rows and on their order; slices and combinations cannot be changed.
        """
        query = self.queryset.query
        return not (query.is_sliced or query.combinator or query.distinct_fields or _has_window(query))

    def rows(self) -> QuerySet[Any, tuple[Any, ...]]:
        """Return the primary key, the number and the variables of each object, and maybe more columns after them.

        Raises TypeError for a queryset of ``values()``, whose rows are no objects. Raises FieldError for a name that is
        no field, lookup or annotation, or that leads to many objects where more rows would change who is selected.
        """
        queryset, fields = self.queryset, [self.phone, *self.variables.values()]
        if queryset._fields is not None:  # type: ignore[attr-defined]  # it is not in the stubs
            raise TypeError(
                "The queryset must return objects, not values() or values_list(). "
                "Import the rows of values() as dicts: queryset.iterator()."
            )
        rows = queryset.values_list("pk", *fields)
        if self.has_free_order and not queryset.query.group_by:
            return rows
        to_many = sorted(filter(self._leads_to_many, fields))
        if to_many:
            raise FieldError(
                f"{', '.join(to_many)} leads to many objects, which is impossible for a queryset with aggregates, "
                "windows, slices, combinations or DISTINCT ON. Use one without them, or one of the other model."
            )
        # Without its annotations, rows that differ would be the same to DISTINCT, INTERSECT and EXCEPT.
        others = [name for name in queryset.query.annotation_select if name not in fields]
        return rows if self.has_free_order else queryset.values_list("pk", *fields, *others)

    def check(self) -> None:
        """Raise ImproperlyConfigured if the objects cannot be imported."""
        try:
            self.rows()
        except (FieldError, TypeError) as error:
            raise ImproperlyConfigured(str(error)) from error
        wrong = sorted(filter(check_variable_name, self.variables))
        if wrong:
            raise ImproperlyConfigured(f"These cannot be names of variables: {', '.join(wrong)}.")
        if len(self.queryset.model._meta.pk_fields) > 1:
            raise ImproperlyConfigured(f"{self.queryset.model._meta.label} has a primary key of several columns.")

    def _leads_to_many(self, name: str) -> bool:
        query = self.queryset.query
        if name in query.extra_select:
            return False
        path = query.names_to_path(name.split(LOOKUP_SEP), query.get_meta())[0]
        return any(step.m2m for step in path)


def _has_window(query: Query) -> bool:
    """Return whether a value depends on other rows, also where the SQL is written by hand."""
    values = [value for annotation in query.annotations.values() for value in annotation.flatten()]
    # The SQL of RawSQL(), the templates of Func(), and extra(select=...).
    written = [getattr(value, "sql", "") for value in values]
    written += [getattr(value, "extra", {}).get("template") or getattr(value, "template", "") for value in values]
    written += [sql for sql, _parameters in query.extra.values()]
    return query.where.contains_over_clause or any(_OVER.search(sql or "") for sql in written)


def find_audience(account: Account, name: str) -> Audience:
    """Call the function of this name and return its audience. A queryset is one with the usual field "phone".

    Raises ImproperlyConfigured for an unknown name, a wrong path, and a function that fails or returns something that
    cannot be imported.
    """
    path = account.audiences.get(name)
    place = f"HYBER[{account.name!r}]['AUDIENCES'][{name!r}]"
    if path is None:
        raise ImproperlyConfigured(f"{place} does not exist.")
    try:
        function = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{place} cannot be imported: {error}") from error
    with _mistakes_of_the_project(place):
        found = function()
    if isinstance(found, QuerySet):
        found = Audience(queryset=found)
    if not isinstance(found, Audience):
        raise ImproperlyConfigured(f"{place} must return a queryset or an Audience, not {type(found).__name__}.")
    try:
        found.check()
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(f"{place} cannot be used: {error}") from error
    return found


def count_people(audience: Audience) -> int:
    """Count the recipients that an audience has now: the objects, or the numbers if an object has many.

    Raises ImproperlyConfigured if the database cannot answer the query.
    """
    # On PostgreSQL, a failed query ends the transaction around it.
    with (
        _mistakes_of_the_project(f"The query of {audience.queryset.model._meta.label}"),
        transaction.atomic(using=audience.queryset.db),
    ):
        return audience.rows().count()


@contextmanager
def _mistakes_of_the_project(place: str) -> Iterator[None]:
    """Raise ImproperlyConfigured for any exception but a lost connection, after which a job is repeated."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log_failure(LogEvent.AUDIENCE_FAILED, error, "%s has failed", place)
        # The text of a database error may contain a row.
        text = "" if isinstance(error, DatabaseError) else f": {error}"
        raise ImproperlyConfigured(f"{place} has failed: {type(error).__name__}{text}") from error
