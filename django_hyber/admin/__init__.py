"""The admin: write, send and follow campaigns, and read everything that the platform reported."""

from django_hyber.admin.audience.host_models import CampaignAudienceMixin, MessageInline
from django_hyber.admin.audience.opt_outs import FormerOptOutAdmin, SuppressionAdmin
from django_hyber.admin.audience.test_numbers import TestNumberAdmin
from django_hyber.admin.campaigns.batches import BatchAdmin
from django_hyber.admin.campaigns.campaign import CampaignAdmin
from django_hyber.admin.messages.message import MessageAdmin
from django_hyber.admin.messages.received import DeliveryReportAdmin, UnreadableCallbackAdmin
from django_hyber.admin.replies import ReplyAdmin
from django_hyber.admin.texts.template import TemplateAdmin
from django_hyber.admin.texts.variant import TemplateVariantAdmin

__all__ = [
    "BatchAdmin",
    "CampaignAdmin",
    "CampaignAudienceMixin",
    "DeliveryReportAdmin",
    "FormerOptOutAdmin",
    "MessageAdmin",
    "MessageInline",
    "ReplyAdmin",
    "SuppressionAdmin",
    "TemplateAdmin",
    "TemplateVariantAdmin",
    "TestNumberAdmin",
    "UnreadableCallbackAdmin",
]
