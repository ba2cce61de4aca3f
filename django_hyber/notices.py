"""Notices for the team of a campaign: an e-mail to the addresses in the setting NOTIFY, and the search for stalls.

The notices are stored with the change (``announce``) and mailed by the sweep, which repeats what a mail server did not
take. An e-mail contains no phone number and no text of a message: the page that it links to has them. The note of an
approval is as on the page for users who may not see numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.mail import EmailMessage
from django.dispatch import receiver
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_hyber.announce import announce_notice, are_notices_wanted, notice_mail
from django_hyber.conf import Account, find_account
from django_hyber.conf.addresses import get_admin_url
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import write_transaction
from django_hyber.models import Announcement, Campaign, Message
from django_hyber.privacy import mask_phones_in
from django_hyber.sending.corrections.earlier_ends import count_sent_again
from django_hyber.sending.pace import breaker
from django_hyber.statistics.dashboard import all_held, all_idle
from django_hyber.statistics.progress import count_by_status
from django_hyber.words.reasons import translate_reason

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

Notice = Announcement.Notice
#: Seconds to wait for a mail server if EMAIL_TIMEOUT is not set: without a limit, it could stop the sweep.
TIMEOUT = 10
SUBJECTS: Mapping[Notice, StrPromise] = {
    Notice.FINISHED: _("“%(name)s” has been sent"),
    Notice.STALLED: _("“%(name)s” is not being sent"),
    Notice.PAUSED: _("“%(name)s” has been paused because of a problem"),
    Notice.APPROVAL: _("“%(name)s” waits for approval"),
    Notice.APPROVED: _("“%(name)s” has been approved"),
    Notice.SENT_BACK: _("“%(name)s” has been sent back for changes"),
}
TEXTS: Mapping[Notice, StrPromise] = {
    Notice.FINISHED: _("The campaign has been sent completely. Delivery reports may still arrive."),
    Notice.STALLED: _(
        "The campaign is due, but has made no progress for ten minutes. Check whether the task workers and "
        "hyber_dispatch are running."
    ),
    Notice.PAUSED: _("The campaign has been paused and stays paused until somebody resumes it."),
    Notice.APPROVAL: _(
        "Somebody who has worked on this campaign requests approval. A person who has not worked on it can launch it "
        "or send it back."
    ),
    Notice.APPROVED: _("The campaign has been approved and launched."),
    Notice.SENT_BACK: _("The campaign has been sent back. It stays a draft: change it, and request approval again."),
}
#: The notices that have a note, and the step of the approval to which it belongs.
NOTES = {
    Notice.APPROVAL: Campaign.Approval.ASKED,
    Notice.APPROVED: Campaign.Approval.GIVEN,
    Notice.SENT_BACK: Campaign.Approval.SENT_BACK,
}
#: The notices that answer the person who has asked.
ANSWERS = (Notice.APPROVED, Notice.SENT_BACK)
#: The page that the e-mail links to.
PAGES = {Notice.APPROVAL: "django_hyber_campaign_preflight"}
DEFAULT_PAGE = "django_hyber_campaign_change"


@receiver(notice_mail, sender=Campaign, dispatch_uid="django_hyber.notices")
def mail_notice(campaign: Campaign, event: str, **_arguments: Any) -> None:
    """Send the e-mail to the team, in the language of the project."""
    account = find_account(campaign.account)
    if account is None or not account.notify:
        return
    with translation.override(settings.LANGUAGE_CODE):
        message = _compose(campaign, Notice(event), account)
    # Django 6.1 has mailers instead of connections.
    connection: Any = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
    if getattr(connection, "timeout", TIMEOUT) is None:
        connection.timeout = TIMEOUT
    connection.send_messages([message])


def announce_stalls() -> None:
    """Announce each campaign that is due and makes no progress, once for each stall."""
    if not are_notices_wanted():
        return
    now = database_time()
    idle = {*all_idle(now).values_list("pk", flat=True), *all_held(now).values_list("pk", flat=True)}
    Campaign.objects.filter(stalled_at__isnull=False).exclude(pk__in=idle).update(stalled_at=None)
    for pk in sorted(idle):
        with write_transaction():
            if Campaign.objects.filter(pk=pk, status=Campaign.Status.SENDING, stalled_at=None).update(stalled_at=now):
                announce_notice(pk, Notice.STALLED)


def _compose(campaign: Campaign, event: Notice, account: Account) -> EmailMessage:
    # A name with a line break would be refused as a header.
    name = {"name": mask_phones_in(" ".join(campaign.name.split()))}
    lines = [*_text(campaign, event), *_note(campaign, event), *_details(campaign, event)]
    page = PAGES.get(event, DEFAULT_PAGE)
    url = get_admin_url(account, page, campaign.pk)
    asker = _find_asker(campaign) if event in ANSWERS else []
    return EmailMessage(
        subject=_subject(campaign, event) % name,
        body="\n\n".join(filter(None, [*lines, url])),
        to=list(dict.fromkeys([*asker, *account.notify])),
    )


def _find_asker(campaign: Campaign) -> list[str]:
    """Return the address of the person who has asked for approval, if there is one."""
    if campaign.approval_asker_id is None:
        return []
    model = get_user_model()
    users = model._default_manager.filter(pk=campaign.approval_asker_id)
    addresses = [getattr(user, model.get_email_field_name(), "") for user in users if user.is_active]
    return list(filter(None, addresses))


def _note(campaign: Campaign, event: Notice) -> list[str]:
    if not campaign.approval_note or campaign.approval != NOTES.get(event):
        return []
    return [mask_phones_in(f"{campaign.approval_by}: {campaign.approval_note}")]


def _subject(campaign: Campaign, event: Notice) -> str:
    if event == Notice.FINISHED and campaign.status_reason:
        return gettext("“%(name)s” has ended")
    return str(SUBJECTS[event])


def _text(campaign: Campaign, event: Notice) -> list[str]:
    if event == Notice.FINISHED and campaign.status_reason:
        # The reason says it: nobody got anything.
        return []
    if event == Notice.STALLED and breaker.is_held(campaign.account):
        text = gettext(
            "The platform refuses the login of the account “%(account)s”, so nothing has been sent for ten minutes. "
            "Check LOGIN and PASSWORD. The campaign goes on by itself when the login is accepted."
        )
        return [text % {"account": campaign.account}]
    return [str(TEXTS[event])]


def _details(campaign: Campaign, event: Notice) -> list[str]:
    if event not in (Notice.PAUSED, Notice.FINISHED):
        return []
    lines = [mask_phones_in(translate_reason(campaign.status_reason, quotes=False))]
    if event == Notice.FINISHED:
        lines += _results(campaign)
    return lines


def _results(campaign: Campaign) -> list[str]:
    """Say how many of the recipients it was sent to, and of the others only those that there are."""
    counts = count_by_status([campaign.pk])[campaign.pk]
    numbers = {"sent": counts.sent, "total": counts.total}
    text = ngettext(
        "Sent to %(sent)s of %(total)s recipient.", "Sent to %(sent)s of %(total)s recipients.", counts.total
    )
    others = [
        (gettext("Skipped: %(count)s."), counts.count(Message.Status.SUPPRESSED)),
        (gettext("Cancelled: %(count)s."), counts.count(Message.Status.CANCELLED)),
        (gettext("Failed so far: %(count)s."), counts.failed),
    ]
    lines = [" ".join([text % numbers, *(other % {"count": count} for other, count in others if count)])]
    if campaign.run > 1:
        again = {"count": count_sent_again(campaign)}
        lines.append(gettext("Failed messages that were sent again: %(count)s.") % again)
    return lines
