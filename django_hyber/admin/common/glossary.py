"""What the figures mean. The pages and the documentation use these words, and no others, for the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only


class Term(NamedTuple):
    """A figure and its meaning."""

    name: StrPromise
    meaning: StrPromise


GLOSSARY = (
    Term(_("Sent"), _("Messages handed over to the platform, whatever the result.")),
    Term(_("Accepted"), _("Messages that the platform has confirmed to have accepted.")),
    Term(
        _("Tried"),
        _("Messages whose result on a channel is known. After a fallback, a message counts in each channel tried."),
    ),
    Term(
        _("Delivered"),
        _(
            "Messages that reached the phone, seen or not. A message that several channels delivered counts in each of "
            "them. The share is of those tried."
        ),
    ),
    Term(
        _("Not delivered"),
        _(
            "Messages tried without success. With an asterisk, some of them are inferred: a later channel was tried, "
            "so this one had failed, but the platform sent no report about it."
        ),
    ),
    Term(
        _("Seen"),
        _("Delivered messages that were opened. A dash: not reported. The share is of those delivered."),
    ),
    Term(
        _("Clicked"),
        _("Delivered messages with at least one click; “Clicks” counts every click. The share is of those delivered."),
    ),
    Term(_("Rejected"), _("Messages that the platform refused without trying a channel.")),
    Term(
        pgettext_lazy("figure", "SMS parts"),
        _(
            "A long SMS is sent and paid for in parts. If the platform reports no number, a message counts as one part."
            " The cost of what was delivered includes every part of an SMS that was delivered only in part."
        ),
    ),
    Term(
        _("Cost"),
        _(
            "By the prices in the settings. “Of what was sent” includes messages that were not delivered. Your "
            "contract says which of the two costs you pay. A message that was sent again counts with its last attempt "
            "only."
        ),
    ),
    Term(
        _("Approved template"),
        _("Viber messages whose text matched an approved template. Others can cost more, or be refused."),
    ),
)
