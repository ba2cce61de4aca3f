"""The verbs that people and code use."""

from django_hyber.services.campaigns import (
    CampaignError,
    cancel_campaign,
    check_campaign,
    pause_campaign,
    resume_campaign,
    retry_failed,
    start_campaign,
)
from django_hyber.services.dispatch import dispatch
from django_hyber.services.fetching import Fetched, fetch_reports
from django_hyber.services.messages import send_message
from django_hyber.services.probing import probe_account
from django_hyber.services.recipient_files import UnreadableFileError
from django_hyber.services.recipients import ImportReport, RejectedRow, import_recipients
from django_hyber.services.replies import apply_replies
from django_hyber.services.reports import CallbackKind, apply_delivery_reports, keep_unreadable_body

__all__ = [
    "CallbackKind",
    "CampaignError",
    "Fetched",
    "ImportReport",
    "RejectedRow",
    "UnreadableFileError",
    "apply_delivery_reports",
    "apply_replies",
    "cancel_campaign",
    "check_campaign",
    "dispatch",
    "fetch_reports",
    "import_recipients",
    "keep_unreadable_body",
    "pause_campaign",
    "probe_account",
    "resume_campaign",
    "retry_failed",
    "send_message",
    "start_campaign",
]
