from __future__ import annotations

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, HyberModel


class AccountState(HyberModel):
    """State that workers share about an account, as a whole or at one of the platform's hosts."""

    class Host(models.TextChoices):
        """The hosts fail independently. The throttle and the login belong to the account as a whole (ALL)."""

        ALL = "", _("all hosts")
        SINGLE = "single", _("single messages")
        BULK = "bulk", _("campaigns")
        REPORTS = "reports", _("reports")

    account = models.CharField(_("account"), max_length=64)
    host = models.CharField(_("host"), max_length=8, choices=Host.choices, default=Host.ALL, blank=True)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Consecutive requests that the platform did not accept.")
    )
    blocked_until = models.DateTimeField(
        _("blocked until"),
        null=True,
        blank=True,
        help_text=_("After this time, one request checks whether the platform answers again."),
    )
    held_since = models.DateTimeField(
        _("held since"), null=True, blank=True, help_text=_("Since when the platform refuses the login.")
    )
    releases = models.PositiveIntegerField(
        _("releases"), default=0, editable=False, help_text=_("How often the login was accepted after it was refused.")
    )
    reason = models.CharField(_("reason"), max_length=TEXT_LIMIT, blank=True)
    next_send_at = models.DateTimeField(
        _("next request at"), null=True, blank=True, help_text=_("The earliest time that the throttle allows.")
    )
    queries_after = models.DateTimeField(
        _("next query at"), null=True, blank=True, help_text=_("Earliest, after a query that was not answered.")
    )
    unanswered_queries = models.PositiveIntegerField(
        _("queries without an answer"), default=0, help_text=_("Queries in a row that were not answered.")
    )

    class Meta:
        verbose_name = _("state of an account")
        verbose_name_plural = _("states of accounts")
        ordering = ("account", "host")
        constraints = (models.UniqueConstraint(fields=("account", "host"), name="hyber_account_state_once_a_host"),)

    @staticmethod
    def lock_whole(account: str) -> models.QuerySet[AccountState]:
        """Lock the row of an account as a whole until the end of the transaction, and return it.

        An UPDATE, and no SELECT before it: in a transaction of a stricter isolation level, what is counted afterwards
        would be what there was before the lock. A new row is locked by the statement that inserts it; if it were locked
        later, several workers would deadlock.
        """
        rows = AccountState.objects.filter(account=account, host=AccountState.Host.ALL)
        if not rows.update(releases=models.F("releases")):
            names_target = connections[rows.db].features.supports_update_conflicts_with_target
            AccountState.objects.bulk_create(
                [AccountState(account=account, host=AccountState.Host.ALL)],
                update_conflicts=True,
                update_fields=["host"],
                unique_fields=["account", "host"] if names_target else None,
            )
        return rows

    def __str__(self) -> str:
        return f"{self.account}: {self.get_host_display()}"
