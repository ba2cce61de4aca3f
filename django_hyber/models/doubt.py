from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

#: How much of the platform's answer to a query is stored.
ANSWER_LIMIT = 100
# The ``db_default`` values are for the statements that write new messages in bulk.


class DoubtModel(models.Model):
    """The evidence about a message or batch with an unknown outcome, collected by queries.

    The columns are valid while the row is ``unconfirmed``. They are reset at the start of each doubt.
    """

    class Answer(models.TextChoices):
        """The result of the last query."""

        NO_ANSWER = "no-answer", _("The platform did not answer the query.")
        NOT_FOUND = "not-found", _("The platform has no report of it.")
        NO_CONTROL = "no-control", _("Not found, but there is no accepted message yet to verify the answer with.")
        NOT_EVEN_KNOWN = (
            "not-even-known",
            _("Not found, but a message that the platform has accepted is not found either."),
        )
        UNLIKE_UNKNOWN = (
            "unlike-unknown",
            _("Not found, but an id that was never used gets a different answer."),
        )
        OTHER_CLIENT = (
            "other-client",
            _("Not found, but the account had another CLIENT_ID or another address when it was sent."),
        )
        UNUSUAL_ID = (
            "unusual-id",
            _("Not found, but its extra id has characters that a proxy may change or refuse in an address."),
        )

    doubted_at = models.DateTimeField(_("outcome unknown since"), null=True, blank=True, editable=False)
    # Empty for a message in an unconfirmed batch, which is queried as a whole.
    not_found_after = models.DateTimeField(_("“not found” counts from"), null=True, blank=True)
    # Two answers a grace apart are proof; this is the first. For a batch: when enough messages were not found.
    not_found_at = models.DateTimeField(_("first not found at"), null=True, blank=True, editable=False)
    queried_at = models.DateTimeField(_("last query at"), null=True, blank=True, editable=False)
    queries = models.PositiveIntegerField(_("queries"), default=0, db_default=0, editable=False)
    # In a row. They prove nothing, so another message of the batch is queried instead.
    unanswered_queries = models.PositiveIntegerField(
        _("queries without an answer"), default=0, db_default=0, editable=False
    )
    answer = models.CharField(
        _("last answer"), max_length=16, choices=Answer.choices, blank=True, default="", db_default="", editable=False
    )
    answer_text = models.CharField(
        _("last answer in detail"),
        max_length=ANSWER_LIMIT,
        blank=True,
        default="",
        db_default="",
        editable=False,
    )
    # The sender of the last request (Account.sender): another client or another platform does not find its messages.
    sender = models.CharField(_("sender"), max_length=32, blank=True, default="", db_default="", editable=False)
    # The error code of an earlier request that was proved not accepted. If the next one ends with the same code, it
    # was rejected.
    not_taken_code = models.IntegerField(_("previous error code"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True
