"""Tests: the texts of a campaign, sent to a few numbers before the launch.

Each is a single message, which belongs to no campaign and is counted in none.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from django_hyber.campaigns.lifecycle import locked
from django_hyber.conf import Account, find_account, get_account
from django_hyber.errors import CampaignError
from django_hyber.models import Campaign, Message, Suppression, TestSender
from django_hyber.models.people import User
from django_hyber.policies.allowed_numbers import policy_of
from django_hyber.protocol import Channel, InvalidPhone, parse_phone, validate_channels
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE
from django_hyber.sending.send import send_message
from django_hyber.texts.check import as_error
from django_hyber.texts.preview import rendered, used_variables
from django_hyber.texts.samples import Sample, fill_in

Status = Message.Status
MAX_NUMBERS = 10
#: How many tests a number may get, and a user may send, within PERIOD: nobody can flood the phone of a stranger.
MAX_PER_NUMBER = 5
MAX_PER_USER = 50
PERIOD = timedelta(minutes=10)
#: How long the page polls for a delivered test to be seen, and for any other to be delivered.
SEEN_WITHIN = timedelta(minutes=10)
ENDS_WITHIN = timedelta(days=1)
TESTABLE = (Campaign.Status.DRAFT, Campaign.Status.SCHEDULED, Campaign.Status.PAUSED)
#: How the ids of tests begin, and their tags, which Hyber's statistics show.
PREFIX = "test-"
TAG_PREFIX = "TEST "
TAG_LENGTH = 64
_SEPARATORS = re.compile(r"[\n,;]+")
_TOKEN = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class SentTest:
    """The result of a test. ``is_repeated`` says that it was already sent; ``opted_out`` numbers got nothing."""

    messages: list[Message]
    opted_out: list[str] = field(default_factory=list)
    is_repeated: bool = False


def is_testable(campaign: Campaign) -> bool:
    """Return whether a campaign can be tested: some of its messages have still to be sent."""
    return campaign.status in TESTABLE


def new_token() -> str:
    """Return a new token. It identifies a test, so that a repeated submission is recognized."""
    return secrets.token_hex(8)


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def parse_numbers(typed: str, campaign: Campaign) -> list[str]:
    """Return the typed numbers without repeats, parsed by the region of the campaign's account.

    Raises ValidationError, which names each invalid number.
    """
    account = find_account(campaign.account)
    found: dict[str, None] = {}
    errors = []
    for text in filter(None, map(str.strip, _SEPARATORS.split(typed))):
        try:
            found[_parse_number(text, account)] = None
        except InvalidPhone as error:
            params = {"number": text[:40], "reason": _(error.reason)}
            errors.append(ValidationError(_("“%(number)s”: %(reason)s"), code="phone-number", params=params))
    if len(found) > MAX_NUMBERS:
        text = _("At most %(limit)d numbers at once, and %(count)d were entered.")
        errors.append(ValidationError(text, code="many", params={"limit": MAX_NUMBERS, "count": len(found)}))
    if errors:
        raise ValidationError(errors)
    return list(found)


def _parse_number(text: str, account: Account | None) -> str:
    number = parse_phone(text, account.default_region if account else None)
    refusal = policy_of(account).refusal(number) if account else ""
    if refusal:
        raise InvalidPhone(refusal)
    return number.digits


def problems_of_test(campaign: Campaign, sample: Sample) -> list[ValidationError]:
    """Return what forbids a test with the values of this recipient."""
    problems = []
    try:
        get_account(campaign.account)
    except ImproperlyConfigured as error:
        problems.append(ValidationError(str(error), code="account"))
    channels = campaign.get_channels()
    used = used_variables(channels, own_text=campaign.has_own_texts)
    values = fill_in(campaign, used, sample) or {}
    lacking = sorted(name for name in used if not values.get(name))
    if lacking:
        text = _("This recipient has no value for %(names)s: choose another one.")
        names = ", ".join(f"%{name}%" for name in lacking)
        problems.append(ValidationError(text, code="lacking", params={"names": names}))
    refused = (problem for problem in validate_channels(_filled(campaign, sample)) if problem.is_error)
    return [*problems, *map(as_error, refused)]


def send_test(campaign: Campaign, numbers: Sequence[str], sample: Sample, token: str, *, user: User) -> SentTest:
    """Send the campaign's texts with the values of the sample to these numbers, once for each token.

    Opted-out numbers get nothing. Raises CampaignError, and sends nothing, for texts that the platform would refuse,
    for numbers that got too many tests lately, and for a user who has sent too many.
    """
    problems = problems_of_test(campaign, sample)
    if problems:
        raise CampaignError(problems)
    with locked(campaign):
        sent = messages_of_test(campaign, token)
        if sent:
            return SentTest(messages=sent, is_repeated=True)
        known = Suppression.objects.filter(phone_number__in=numbers)
        opted_out = set(known.values_list("phone_number", flat=True))
        wanted = [number for number in numbers if number not in opted_out]
        _refuse_too_many(wanted)
        if wanted:
            _count_for(user, len(wanted), _id_prefix(campaign.pk, token))
        channels = _filled(campaign, sample)
        ids = zip(wanted, _extra_ids(campaign, token), strict=False)
        messages = [
            send_message(
                f"+{number}",
                channels,
                extra_id=extra_id,
                tag=f"{TAG_PREFIX}{campaign.tag or campaign.name}"[:TAG_LENGTH],
                division_code=campaign.division_code,
                account=campaign.account,
            )
            for number, extra_id in ids
        ]
    return SentTest(messages=messages, opted_out=[number for number in numbers if number in opted_out])


def messages_of_test(campaign: Campaign, token: str) -> list[Message]:
    """Return the messages of a test, in the order of their numbers."""
    own = Message.objects.filter(extra_id__in=list(_extra_ids(campaign, token)), campaign=None)
    return list(own.order_by("pk"))


def is_live(messages: Sequence[Message], now: datetime) -> bool:
    """Return whether these messages may still change soon."""
    return any(_is_live(message, now) for message in messages)


def _is_live(message: Message, now: datetime) -> bool:
    age = now - message.created_at
    if message.status == Status.DELIVERED:
        return age < SEEN_WITHIN
    return message.status in (*BEFORE_ACCEPTANCE, Status.ACCEPTED) and age < ENDS_WITHIN


def _filled(campaign: Campaign, sample: Sample) -> list[Channel]:
    channels, own_text = campaign.get_channels(), campaign.has_own_texts
    values = fill_in(campaign, used_variables(channels, own_text=own_text), sample) or {}
    return [rendered(channel, values, own_text=own_text) for channel in channels]


def latest_numbers(user: User) -> list[str]:
    """Return the numbers that the user has sent a test to last, while its messages have not been purged."""
    sender = TestSender.objects.filter(user_key=str(user.pk)).first()
    if sender is None:
        return []
    sent = Message.objects.not_purged().filter(extra_id__in=list(_ids(sender.latest)), campaign=None).order_by("pk")
    return [str(number) for number in sent.values_list("phone_number", flat=True)]


def _extra_ids(campaign: Campaign, token: str) -> Iterator[str]:
    return _ids(_id_prefix(campaign.pk, token))


def _ids(prefix: str) -> Iterator[str]:
    return (f"{prefix}-{number}" for number in range(MAX_NUMBERS))


def _id_prefix(campaign_pk: int, token: str) -> str:
    return f"{PREFIX}{campaign_pk}-{token}"


def _count_for(user: User, count: int, latest: str) -> None:
    """Count the tests of a user, in all sessions together. Raises CampaignError if there are too many."""
    key = str(user.pk)
    TestSender.objects.get_or_create(user_key=key)
    # Locked: two tests of the same user, of different campaigns, are counted one after the other.
    sender = TestSender.objects.select_for_update().get(user_key=key)
    now = timezone.now().timestamp()
    recent = [moment for moment in sender.sent_at if moment > now - PERIOD.total_seconds()]
    if len(recent) + count > MAX_PER_USER:
        text = _("You have sent %(limit)d tests in ten minutes. Wait a little.")
        raise CampaignError([ValidationError(text, code="too-many-tests", params={"limit": MAX_PER_USER})])
    TestSender.objects.filter(pk=sender.pk).update(sent_at=[*recent, *[now] * count], latest=latest)


def _refuse_too_many(numbers: Sequence[str]) -> None:
    since = timezone.now() - PERIOD
    tests = Message.objects.filter(
        phone_number__in=numbers, campaign=None, created_at__gte=since, extra_id__startswith=PREFIX
    )
    counts = tests.order_by().values_list("phone_number").annotate(count=Count("pk"))
    over = sorted(number for number, count in counts if count >= MAX_PER_NUMBER)
    if over:
        text = _("%(numbers)s: a number gets at most %(limit)d tests in ten minutes. Wait a little.")
        params = {"numbers": ", ".join(over), "limit": MAX_PER_NUMBER}
        raise CampaignError([ValidationError(text, code="too-many-tests", params=params)])
