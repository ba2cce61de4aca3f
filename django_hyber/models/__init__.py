"""The tables: columns, constraints and querysets. Nothing here sends requests or changes a status."""

from django_hyber.models.account_state import AccountState
from django_hyber.models.announcement import Announcement
from django_hyber.models.background_job import BackgroundJob
from django_hyber.models.base import TEXT_LIMIT
from django_hyber.models.batch import Batch
from django_hyber.models.campaign import Campaign, CampaignChannel
from django_hyber.models.delivery_report import DeliveryReport, StatusCode
from django_hyber.models.doubt import ANSWER_LIMIT
from django_hyber.models.message import LONE, Message, MessageQuerySet
from django_hyber.models.people import Contributor, TestNumber, TestSender
from django_hyber.models.reply import Reply
from django_hyber.models.suppression import FormerOptOut, Suppression
from django_hyber.models.template import Template, TemplateChannel, TemplateVariant
from django_hyber.models.unreadable_callback import CallbackQuota, UnreadableCallback

__all__ = [
    "ANSWER_LIMIT",
    "LONE",
    "TEXT_LIMIT",
    "AccountState",
    "Announcement",
    "BackgroundJob",
    "Batch",
    "CallbackQuota",
    "Campaign",
    "CampaignChannel",
    "Contributor",
    "DeliveryReport",
    "FormerOptOut",
    "Message",
    "MessageQuerySet",
    "Reply",
    "StatusCode",
    "Suppression",
    "Template",
    "TemplateChannel",
    "TemplateVariant",
    "TestNumber",
    "TestSender",
    "UnreadableCallback",
]
