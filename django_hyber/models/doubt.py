from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

# The ``db_default`` values are for the statements that write new messages in bulk.


class DoubtModel(models.Model):
    """Something that the platform may or may not have taken, and what questions about it have shown.

    The columns mean something while the row is ``unconfirmed``. Each doubt begins with new values.
    """

    class Answer(models.TextChoices):
        """What the last question has shown."""

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

    doubted_at = models.DateTimeField(_("outcome unknown since"), null=True, blank=True, editable=False)
    # Empty for a message in an unconfirmed batch: the batch is asked about, and not its messages.
    not_found_after = models.DateTimeField(_("“not found” counts from"), null=True, blank=True)
    # The first of the two answers, a grace apart, that prove it. Of a batch: when enough messages had given it.
    not_found_at = models.DateTimeField(_("first not found at"), null=True, blank=True, editable=False)
    asked_at = models.DateTimeField(_("last query at"), null=True, blank=True, editable=False)
    questions = models.PositiveIntegerField(_("queries"), default=0, db_default=0, editable=False)
    # In a row. They say nothing about it: another message of the batch is asked about instead.
    unanswered = models.PositiveIntegerField(_("queries without an answer"), default=0, db_default=0, editable=False)
    answer = models.CharField(
        _("last answer"), max_length=16, choices=Answer.choices, blank=True, default="", db_default="", editable=False
    )
    answer_text = models.CharField(
        _("last answer in detail"), max_length=100, blank=True, default="", db_default="", editable=False
    )
    # The error code of an earlier request that was proved not taken. If the next one ends in the same way, the code
    # was a refusal.
    not_taken_code = models.IntegerField(_("previous error code"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True
