"""A batch of a campaign on its way: claimed, sent in one request, and all its answers recorded at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django_hyber.db import lease
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.models import Batch, Campaign
from django_hyber.protocol import HyberClient
from django_hyber.sending.answers import Outgoing
from django_hyber.sending.body import build_body, read_outgoing, suppress
from django_hyber.sending.claims import BatchAnswer, BatchClaim, claim_batch
from django_hyber.sending.clients import get_client
from django_hyber.sending.exchange import TEXT_LIMIT, act_on, exchange
from django_hyber.sending.runs import settle

logger = logging.getLogger("django_hyber")


def submit_batch(pk: int, client: HyberClient | None = None) -> None:
    """Hand a batch to the platform; do nothing when it is not due, is taken or must not be sent now."""
    claim = claim_batch(pk)
    if claim is None:
        return
    suppress(claim)
    outgoing = read_outgoing(claim)
    if outgoing:
        _send(claim, outgoing, client or get_client(claim.account))
    else:
        claim.finish(Batch.State.DONE)
    settle(claim.batch.campaign.pk)


def _send(claim: BatchClaim, outgoing: Sequence[Outgoing], client: HyberClient) -> None:
    try:
        body = build_body(claim.batch.campaign, claim.account, [item.recipient for item in outgoing])
    except ValueError as error:
        _pause_campaign(claim, str(error)[:TEXT_LIMIT])
        return
    if not lease.renew(claim.rows().filter(state=Batch.State.SENDING), claim.account.lease):
        logger.warning("Batch %s was claimed by another worker before it was sent", claim.batch.pk)
        return
    act_on(exchange(lambda: _post(claim, client, body, outgoing)), claim)


def _post(claim: BatchClaim, client: HyberClient, body: dict[str, Any], outgoing: Sequence[Outgoing]) -> BatchAnswer:
    is_small = len(outgoing) <= claim.account.sync_limit
    if claim.batch.campaign.has_own_texts:
        if is_small:
            return BatchAnswer(outgoing, client.send_batch_sync(body), "")
        return BatchAnswer(outgoing, None, client.send_batch(body))
    if is_small:
        return BatchAnswer(outgoing, client.send_broadcast_sync(body), "")
    return BatchAnswer(outgoing, None, client.send_broadcast(body))


@insisting
def _pause_campaign(claim: BatchClaim, reason: str) -> None:
    """Let a person correct what no request can say. In one commit, or the batch would be sent again at once."""
    with write_transaction():
        claim.put_back("", reason, None)
        campaigns = Campaign.objects.filter(pk=claim.batch.campaign.pk, status=Campaign.Status.SENDING)
        campaigns.update(status=Campaign.Status.PAUSED, status_reason=reason)
