from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Row = TypeVar("Row", bound=models.Model)
#: How long a stored reason or error text may be.
TEXT_LIMIT = 255


class UtcNow(Now):
    """The time of the database server. On MariaDB, ``Now`` is in the time zone of the server."""

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        """Write the function that knows no time zone."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def plain_value(value: Any) -> Any:
    """Return a lazily translated text, or those that are values of a mapping, as texts; others as they are."""
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping) and any(isinstance(item, Promise) for item in value.values()):
        return {key: str(item) if isinstance(item, Promise) else item for key, item in value.items()}
    return value


class HyberManager(models.Manager[Row]):
    """Reads from the database that the table is written to.

    Decisions about requests must not depend on a replica, which may lag behind.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        """Select all rows, from the database for writes."""
        return super().get_queryset().using(self._db or router.db_for_write(self.model))


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """A text of which every character counts: MariaDB and MySQL ignore case, accents and spaces at the end."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Add the collation of the database."""
        parameters: dict[str, Any] = super().db_parameters(connection)
        if connection.vendor != "mysql":
            return parameters
        exact = "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"  # type: ignore[attr-defined]
        return parameters | {"collation": exact}


class HyberModel(models.Model):
    """The base class of all tables of this package."""

    objects = HyberManager()

    class Meta:
        abstract = True
        # Used by ``refresh_from_db`` and by foreign keys.
        base_manager_name = "objects"


class ClaimModel(models.Model):
    """The columns of the claims to a row (``db.lease``): one worker at a time sends it."""

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Attempts at which the platform refused the login, and others that do not count towards MAX_ATTEMPTS.
    held_attempts = models.PositiveSmallIntegerField(
        _("attempts while held"),
        default=0,
        # Bulk inserts of new messages omit this column.
        db_default=0,
        editable=False,
    )
    # AccountState.releases at the time when the platform last refused the login for this request.
    releases_seen = models.PositiveIntegerField(_("releases seen"), null=True, blank=True, editable=False)
    # Set while it is being sent. After this time, its worker is considered stopped.
    lease_until = models.DateTimeField(_("reserved until"), null=True, blank=True)
    # When the next step is due: sending, querying an unknown outcome, or querying reports. Empty means immediately.
    due_at = models.DateTimeField(_("next step at"), null=True, blank=True)
    enqueued_at = models.DateTimeField(
        _("enqueued at"), null=True, blank=True, help_text=_("When a task for it was last enqueued.")
    )

    class Meta:
        abstract = True


class PersonalDataModel(HyberModel):
    """A table with personal data. A row masked in memory cannot be saved, because the masks would replace the data."""

    is_masked = False

    class Meta:
        abstract = True

    def __repr__(self) -> str:
        """Name the row by its key alone: error trackers collect the representations of variables."""
        return f"<{type(self).__name__}: {self.pk}>"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row. Raises TypeError if it is masked."""
        if self.is_masked:
            raise TypeError("A row whose personal data is masked cannot be saved.")
        super().save(*args, **kwargs)


class ListedNumberModel(PersonalDataModel):
    """A list on which a number is once, as digits only, like those of messages: with a "+", it would match none.

    The country code is added to a number of the home country by ``words.listed_numbers``.
    """

    phone_number = models.CharField(_("phone number"), max_length=15, unique=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the digits of the number, those of other scripts as well."""
        self.phone_number = "".join(str(int(digit)) for digit in self.phone_number if digit.isdecimal())
        super().save(*args, **kwargs)
