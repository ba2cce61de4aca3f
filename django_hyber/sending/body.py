"""What a batch sends: to everybody in it who is still to be sent to, and has neither opted out nor lost a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_hyber.announce import Change, announce_changes
from django_hyber.conf import Account, get_callback_url
from django_hyber.db.pages import VARIABLES_TEXT, read_documents
from django_hyber.db.transactions import lock, write_transaction
from django_hyber.models import Campaign, Message, Suppression
from django_hyber.protocol import BatchMessage, Recipient, batch_body, broadcast_body, find_variables
from django_hyber.sending.answers import Outgoing
from django_hyber.sending.claims import BatchClaim
from django_hyber.sending.single import OPTED_OUT
from django_hyber.texts.variables import OWN_TEXT, complete_variables

Status = Message.Status
NO_VALUE = gettext_noop("Left out: a value for the text is missing.")


def suppress(claim: BatchClaim) -> None:
    """Take out who has opted out, at the last moment before sending."""
    opted_out = Suppression.objects.values("phone_number")
    waiting = claim.messages().filter(status=Status.QUEUED, phone_number__in=opted_out)
    if waiting.exists():
        _leave_out(waiting, OPTED_OUT)


def _leave_out(waiting: QuerySet[Message], reason: str) -> None:
    with write_transaction():
        pks = lock(waiting)
        waiting.update(status=Status.SUPPRESSED, error_text=reason, finished_at=timezone.now())
        announce_changes([Change(pk, Status.QUEUED, Status.SUPPRESSED) for pk in pks])


def read_outgoing(claim: BatchClaim) -> list[Outgoing]:
    """Read what is still to be sent, without a model instance per row; recipients without a value may be left out."""
    campaign = claim.batch.campaign
    waiting = claim.messages().filter(status=Status.QUEUED)
    rows = list(waiting.order_by("pk").values_list("pk", "phone_number", "extra_id", VARIABLES_TEXT))
    used = used_values(campaign)
    outgoing, incomplete = [], []
    for (pk, phone, extra_id, _text), values in zip(rows, read_documents(row[-1] for row in rows), strict=True):
        variables = complete_variables(campaign, used, values)
        # The launch check has seen a text for everybody; a recipient who has lost it since is left out alone.
        if variables is None or (campaign.has_own_texts and not variables.get(OWN_TEXT)):
            incomplete.append(pk)
        else:
            outgoing.append(Outgoing(pk, Recipient(phone, extra_id, variables)))
    if incomplete:
        _leave_out(waiting.filter(pk__in=incomplete), NO_VALUE)
    return outgoing


def build_body(campaign: Campaign, account: Account, recipients: Iterable[Recipient]) -> dict[str, Any]:
    """Build the request that hands these recipients over. Raises ValueError for a phone that is not all digits."""
    options: dict[str, Any] = {
        "callback_url": get_callback_url(account),
        "start_time": campaign.start_time_on_wire(timezone.now()),
        "tag": campaign.tag or campaign.name[:64],
        "division_code": campaign.division_code,
        "phone_as_number": account.phone_as_number,
    }
    if campaign.has_own_texts:
        texts = (BatchMessage(phone, extra_id, values[OWN_TEXT]) for phone, extra_id, values in recipients)
        return batch_body(texts, campaign.get_channels(), **options)
    return broadcast_body(recipients, campaign.get_channels(), **options)


def used_values(campaign: Campaign) -> list[str]:
    """Return the names of the values that go out: what no text uses is nobody else's business."""
    return sorted(find_variables(campaign.get_channels()) | ({OWN_TEXT} if campaign.has_own_texts else set()))
