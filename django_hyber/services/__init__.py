"""The public functions of the package, for code and for its own admin and commands."""

from django_hyber.audience.export import ExportError, export_recipients, export_suppressions
from django_hyber.audience.files.file_type import UnreadableFileError
from django_hyber.audience.imports import ImportReport, RejectedRow
from django_hyber.audience.objects import add_audience
from django_hyber.audience.opt_outs import import_suppressions
from django_hyber.audience.recipients import import_recipients
from django_hyber.audience.removal import Removed, remove_recipients
from django_hyber.audience.uploads import confirm_upload, keep_upload
from django_hyber.campaigns.launch import start_campaign
from django_hyber.campaigns.lifecycle import (
    cancel_campaign,
    count_waiting,
    pause_campaign,
    resume_campaign,
    withdraw_campaign,
)
from django_hyber.campaigns.preflight import Preflight, Segments, Skipped, check_campaign, preflight
from django_hyber.campaigns.retry import retry_failed
from django_hyber.conf.audiences import Audience
from django_hyber.errors import CampaignError, DoubtError, ExtraIdError
from django_hyber.forgetting.number import ForgetError, Forgotten, export_number, forget_number
from django_hyber.forgetting.purge import Purged, purge_personal_data
from django_hyber.jobs.background import request_job, stop_job
from django_hyber.probe import Finding, probe_account
from django_hyber.probe.round_trip import find_sender, make_round_trip
from django_hyber.reconcile.decisions import Doubt, doubts, find_doubt, mark_as_sent, query_now, send_again
from django_hyber.reconcile.overdue import fetch_reports
from django_hyber.reconcile.report_queries import Fetched
from django_hyber.replies.reply_intake import apply_replies
from django_hyber.reports.intake import CallbackKind, apply_delivery_reports
from django_hyber.reports.recount import Recount, recount
from django_hyber.reports.unreadable import keep_unreadable_body
from django_hyber.sending.cancelling import cancel_message
from django_hyber.sending.send import asend_message, send_message
from django_hyber.sending.templates import asend_template, send_template
from django_hyber.statistics.counts import (
    CampaignStatistics,
    ChannelStatistics,
    Results,
    campaign_statistics,
    compare_campaigns,
)
from django_hyber.statistics.health import Health, check_health
from django_hyber.statistics.period import account_statistics
from django_hyber.sweep import dispatch
from django_hyber.texts.template_files import Loaded, TemplateFileError, load_templates

__all__ = [
    "Audience",
    "CallbackKind",
    "CampaignError",
    "CampaignStatistics",
    "ChannelStatistics",
    "Doubt",
    "DoubtError",
    "ExportError",
    "ExtraIdError",
    "Fetched",
    "Finding",
    "ForgetError",
    "Forgotten",
    "Health",
    "ImportReport",
    "Loaded",
    "Preflight",
    "Purged",
    "Recount",
    "RejectedRow",
    "Removed",
    "Results",
    "Segments",
    "Skipped",
    "TemplateFileError",
    "UnreadableFileError",
    "account_statistics",
    "add_audience",
    "apply_delivery_reports",
    "apply_replies",
    "asend_message",
    "asend_template",
    "campaign_statistics",
    "cancel_campaign",
    "cancel_message",
    "check_campaign",
    "check_health",
    "compare_campaigns",
    "confirm_upload",
    "count_waiting",
    "dispatch",
    "doubts",
    "export_number",
    "export_recipients",
    "export_suppressions",
    "fetch_reports",
    "find_doubt",
    "find_sender",
    "forget_number",
    "import_recipients",
    "import_suppressions",
    "keep_unreadable_body",
    "keep_upload",
    "load_templates",
    "make_round_trip",
    "mark_as_sent",
    "pause_campaign",
    "preflight",
    "probe_account",
    "purge_personal_data",
    "query_now",
    "recount",
    "remove_recipients",
    "request_job",
    "resume_campaign",
    "retry_failed",
    "send_again",
    "send_message",
    "send_template",
    "start_campaign",
    "stop_job",
    "withdraw_campaign",
]
