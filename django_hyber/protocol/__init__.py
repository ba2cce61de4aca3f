"""Hyber JSON V2 without Django: channels and their rules, request bodies, HTTP client, reports and replies."""

from django_hyber.protocol.channels.content import (
    CHANNELS,
    SMS,
    Channel,
    FieldRule,
    Push,
    UnknownChannel,
    Viber,
    WhatsApp,
    channel_from_wire,
    channels_from_wire,
    field_rules,
)
from django_hyber.protocol.channels.problems import Problem
from django_hyber.protocol.channels.validation import validate_channels, validate_request
from django_hyber.protocol.client import HyberClient
from django_hyber.protocol.errors import (
    APIError,
    AuthenticationError,
    ConnectionLost,
    HyberError,
    InvalidMessage,
    NotTaken,
    OutcomeUnknown,
    ReadTimeout,
    ReportNotFound,
    RequestTooLarge,
    TooManyRequests,
    UnreadableReply,
    UnreadableReport,
    UnreadableResponse,
)
from django_hyber.protocol.masking import (
    MASK,
    describe_traceback,
    mask_payload,
    mask_phone,
    mask_phones_in,
    mask_text,
    mask_values,
)
from django_hyber.protocol.phones.numbers import describe_phone, normalize_phone, parse_phone
from django_hyber.protocol.phones.spellings import InvalidPhone
from django_hyber.protocol.phones.types import REACHABLE, NumberType, PhoneNumber
from django_hyber.protocol.texts.consent import START_WORDS, STOP_WORDS, Consent, read_consent
from django_hyber.protocol.texts.links import tag_links
from django_hyber.protocol.texts.markdown import TextRun, mark_links, parse_markdown
from django_hyber.protocol.texts.rendered import RenderedTexts
from django_hyber.protocol.texts.sms import MAX_SEGMENTS, SegmentCount, count_segments, split_segments
from django_hyber.protocol.texts.variables import (
    check_variable_name,
    find_encoded_links,
    find_misspelled_variables,
    find_variables,
    render,
    render_channel,
)
from django_hyber.protocol.wire.codes import PERMANENT as PERMANENT_CODES
from django_hyber.protocol.wire.codes import describe
from django_hyber.protocol.wire.json_text import TooManyItems, read_items, read_json, write_json
from django_hyber.protocol.wire.replies import ParsedReplies, UserReply, parse_replies, parse_reply, reply_fingerprint
from django_hyber.protocol.wire.reports import (
    DeliveryReport,
    ParsedReports,
    ReportState,
    fingerprint,
    parse_report,
    parse_reports,
)
from django_hyber.protocol.wire.requests import (
    MAX_RECIPIENTS,
    BatchMessage,
    Recipient,
    batch_body,
    broadcast_body,
    single_body,
)
from django_hyber.protocol.wire.responses import SyncEntry, parse_job_id, parse_message_id, parse_sync
from django_hyber.protocol.wire.values import clean_text

__all__ = [
    "CHANNELS",
    "MASK",
    "MAX_RECIPIENTS",
    "MAX_SEGMENTS",
    "PERMANENT_CODES",
    "REACHABLE",
    "SMS",
    "START_WORDS",
    "STOP_WORDS",
    "APIError",
    "AuthenticationError",
    "BatchMessage",
    "Channel",
    "ConnectionLost",
    "Consent",
    "DeliveryReport",
    "FieldRule",
    "HyberClient",
    "HyberError",
    "InvalidMessage",
    "InvalidPhone",
    "NotTaken",
    "NumberType",
    "OutcomeUnknown",
    "ParsedReplies",
    "ParsedReports",
    "PhoneNumber",
    "Problem",
    "Push",
    "ReadTimeout",
    "Recipient",
    "RenderedTexts",
    "ReportNotFound",
    "ReportState",
    "RequestTooLarge",
    "SegmentCount",
    "SyncEntry",
    "TextRun",
    "TooManyItems",
    "TooManyRequests",
    "UnknownChannel",
    "UnreadableReply",
    "UnreadableReport",
    "UnreadableResponse",
    "UserReply",
    "Viber",
    "WhatsApp",
    "batch_body",
    "broadcast_body",
    "channel_from_wire",
    "channels_from_wire",
    "check_variable_name",
    "clean_text",
    "count_segments",
    "describe",
    "describe_phone",
    "describe_traceback",
    "field_rules",
    "find_encoded_links",
    "find_misspelled_variables",
    "find_variables",
    "fingerprint",
    "mark_links",
    "mask_payload",
    "mask_phone",
    "mask_phones_in",
    "mask_text",
    "mask_values",
    "normalize_phone",
    "parse_job_id",
    "parse_markdown",
    "parse_message_id",
    "parse_phone",
    "parse_replies",
    "parse_reply",
    "parse_report",
    "parse_reports",
    "parse_sync",
    "read_consent",
    "read_items",
    "read_json",
    "render",
    "render_channel",
    "reply_fingerprint",
    "single_body",
    "split_segments",
    "tag_links",
    "validate_channels",
    "validate_request",
    "write_json",
]
