"""The pre-flight check: what forbids a launch, who would get the campaign, and the cost."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import Count, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from django_hyber.conf import find_account, find_prices, get_account
from django_hyber.conf.audiences import count_people, find_audience
from django_hyber.models import BackgroundJob, Campaign, MessageQuerySet
from django_hyber.protocol.channels.validation import START_WITHIN
from django_hyber.sending.limits import amount_left, format_amount
from django_hyber.texts.check import SHOWN, TextReport, check_people, check_texts
from django_hyber.texts.costs import cost_of_attempts, cost_range, without_price

#: The fields that must not change between the check and the launch.
CHECKED_FIELDS = ("name", "start_time", *Campaign.SETTINGS)
#: What the page before the launch shows of the account: who gets the campaign, how fast, and what it costs.
CHECKED_ACCOUNT_FIELDS = (
    "allowed_numbers",
    "allowed_countries",
    "allowed_number_types",
    "redirect_to",
    "frequency_cap",
    "throttle",
    "lead_time",
    "prices",
    "currency",
    "spending_limit",
)

OPTED_OUT_CODE = "opted-out"
NOT_ALLOWED_CODE = "not-allowed"
COUNTRY_OFF_CODE = "country-off"
TYPE_OFF_CODE = "type-off"
MISSING_CODE = "missing-variable"
CAPPED_CODE = "frequency-cap"
BLOCKING_CODE = "blocks-launch"
PAST_START_CODE = "past-start-time"


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Recipients who will get nothing, or who block the launch (BLOCKING_CODE).

    ``examples`` are the primary keys of up to five of their messages. ``missing`` counts by variable how many of them
    lack its value.
    """

    reason: str
    code: str
    count: int
    examples: tuple[int, ...]
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Segments:
    """SMS segments over the recipients: ``encodings`` counts the texts, the other numbers are of segments.

    ``ucs2`` has the first characters that made a text UCS-2, by the variable whose values hold them; "" is the text
    itself.
    """

    encodings: Mapping[str, int]
    ucs2: Mapping[str, str]
    fewest: int
    most: int
    total: int
    over_one: int


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The result of the check, valid while the campaign has this ``fingerprint``.

    ``problems`` prevent the launch, ``warnings`` do not. ``missing`` counts, by variable, the recipients without their
    own value, whatever the campaign does about them; ``defaulted`` counts those who get its default text instead.
    ``segments`` is None without SMS, or while the texts of the channels themselves are wrong. ``unfit`` are the primary
    keys of up to five messages with whose values a text would be refused.

    The costs are those of reaching everybody who is not skipped, each by one channel: by the one that costs least for
    this recipient (``cost_low``) or most (``cost_high``), an SMS with all its parts. Recipients who are not reached
    cost nothing. ``cost_attempts`` is the most for a contract by which every attempt is paid for: all channels are
    tried for everybody. None if a channel has no price in the settings, or if the texts are wrong.
    """

    fingerprint: str
    recipients: int
    will_receive: int
    problems: list[ValidationError]
    warnings: list[ValidationError]
    skipped: list[Skipped]
    missing: Mapping[str, int]
    defaulted: Mapping[str, int]
    segments: Segments | None
    cost_low: Decimal | None
    cost_high: Decimal | None
    cost_attempts: Decimal | None
    start_time: datetime | None
    time_zone: str
    unfit: tuple[int, ...] = ()

    @property
    def may_start(self) -> bool:
        """Whether nothing forbids the launch."""
        return not self.problems

    @property
    def opted_out(self) -> int:
        """How many of the recipients have opted out."""
        return sum(item.count for item in self.skipped if item.code == OPTED_OUT_CODE)


def fingerprint(campaign: Campaign) -> str:
    """Return a text that changes as soon as the content of the campaign does, or what the check reads in its account.

    Opt-outs do not change it: they are checked again when each message is sent.
    """
    account = find_account(campaign.account)
    facts = {name: getattr(account, name) for name in CHECKED_ACCOUNT_FIELDS} if account else {}
    return digest(content_fingerprint(campaign), facts)


def content_fingerprint(campaign: Campaign) -> str:
    """Return a text that changes as soon as recipients, channels or settings of the campaign do."""
    recipients = campaign.messages.aggregate(number=Count("pk"), newest=Max("pk"))
    channels = list(campaign.channels.values_list("position", "channel", "options"))
    values = {name: getattr(campaign, name) for name in CHECKED_FIELDS}
    return digest(recipients, channels, values)


def digest(*values: object) -> str:
    """Return a fingerprint of values that JSON, or their text, describes in full."""
    content = json.dumps(values, default=_comparable, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _comparable(value: Any) -> Any:
    if isinstance(value, Set):
        return sorted(value)
    # In UTC, in which a saved time is read back.
    is_moment = isinstance(value, datetime) and value.tzinfo is not None
    return str(value.astimezone(UTC) if is_moment else value)


def check_campaign(campaign: Campaign) -> list[ValidationError]:
    """Return everything that prevents the launch; an empty list means that the campaign can be launched."""
    return [*check_state(campaign), *check_texts(campaign).errors]


def check_state(campaign: Campaign) -> list[ValidationError]:
    """Return what forbids launching the campaign apart from its texts."""
    problems = []
    if not campaign.is_editable:
        problems.append(already_started(campaign))
    try:
        get_account(campaign.account)
    except ImproperlyConfigured as error:
        problems.append(ValidationError(str(error), code="account"))
    if problem := start_time_problem(campaign.start_time):
        problems.append(problem)
    if not campaign.messages.exists():
        problems.append(ValidationError(_("The campaign has no recipients: import some first."), code="no-recipients"))
    under_way = set(campaign.jobs.open().values_list("kind", flat=True))
    if BackgroundJob.Kind.IMPORT in under_way:
        problems.append(ValidationError(_("An import of recipients is still under way."), code="importing"))
    if BackgroundJob.Kind.REMOVAL in under_way:
        problems.append(ValidationError(_("A removal of recipients is still under way."), code="removing"))
    return problems


def start_time_problem(start_time: datetime | None) -> ValidationError | None:
    """Return the error for a start time that is too far ahead, or None."""
    if start_time is None or start_time <= timezone.now() + START_WITHIN:
        return None
    return ValidationError(_("The start time is more than a year ahead."), code="start-time-too-far")


def already_started(campaign: Campaign) -> ValidationError:
    """Return the error for a campaign that is no longer a draft."""
    return ValidationError(
        _("This campaign has already been started: it is %(status)s."),
        code="already-started",
        params={"status": campaign.get_status_display()},
    )


def preflight(campaign: Campaign, *, progress: Callable[[int], object] | None = None) -> Preflight:
    """Check a campaign as its recipients would get it: who is skipped, what is missing, what it costs.

    Reads every recipient once, in memory that does not grow with their number. Nothing is changed or sent. ``progress``
    is called with the number of recipients that have been checked.
    """
    checked = fingerprint(campaign)
    texts = check_texts(campaign, progress)
    skipped = [*_opted_out(campaign.messages.all()), *_skipped_by_check(texts)]
    recipients = texts.recipients + sum(item.count for item in skipped if item.code == OPTED_OUT_CODE)
    low, high, attempts = _costs(campaign, texts)
    zone = timezone.get_current_timezone()
    return Preflight(
        fingerprint=checked,
        recipients=recipients,
        will_receive=texts.will_receive,
        problems=[*check_state(campaign), *texts.errors],
        warnings=[
            *texts.warnings,
            *_warnings(campaign, recipients, texts),
            *_spending_warnings(campaign, high),
        ],
        skipped=skipped,
        missing=dict(sorted(texts.missing.items())),
        defaulted=dict(sorted(texts.defaulted.items())),
        segments=_summary(texts),
        cost_low=low,
        cost_high=high,
        cost_attempts=attempts,
        start_time=campaign.start_time and campaign.start_time.astimezone(zone),
        time_zone=timezone.get_current_timezone_name(),
        unfit=tuple(texts.unfit),
    )


def count_opted_out(campaign: Campaign) -> int:
    """Count the recipients who have opted out by now."""
    return campaign.messages.opted_out().order_by().count()


def is_limited(campaign: Campaign) -> bool:
    """Return whether the account sends to fewer people than those who have not opted out."""
    account = find_account(campaign.account)
    if account is None:
        return False
    limits = (account.allowed_numbers, account.allowed_countries, account.allowed_number_types, account.frequency_cap)
    return any(limit is not None for limit in limits)


def skipped_people(campaign: Campaign, messages: MessageQuerySet) -> list[Skipped]:
    """Return those of the recipients of these messages of the campaign who get nothing, whatever their texts are."""
    return [*_opted_out(messages), *_skipped_by_check(check_people(campaign, messages))]


def _opted_out(messages: MessageQuerySet) -> list[Skipped]:
    opted_out = messages.opted_out().order_by()
    count = opted_out.count()
    return known_opt_outs(count, tuple(opted_out.values_list("pk", flat=True)[:SHOWN])) if count else []


def known_opt_outs(count: int, examples: tuple[int, ...] = ()) -> list[Skipped]:
    """Return the group of so many recipients who have opted out, if there are any."""
    return [Skipped(reason=_("opted out"), code=OPTED_OUT_CODE, count=count, examples=examples)] if count else []


def _skipped_by_check(texts: TextReport) -> list[Skipped]:
    # Either a missing value leaves people out, or it blocks the launch.
    lacking = texts.lacking or texts.missing
    no_value = _("no value for %(names)s") % {"names": ", ".join(f"%{name}%" for name in sorted(lacking))}
    none: Mapping[str, int] = {}
    groups = (
        (NOT_ALLOWED_CODE, _("the number is not in ALLOWED_NUMBERS"), texts.not_allowed, none),
        (
            COUNTRY_OFF_CODE,
            _("the account does not send to the country (ALLOWED_COUNTRIES)"),
            texts.country_off,
            none,
        ),
        (TYPE_OFF_CODE, _("the account does not send to numbers of this type"), texts.type_off, none),
        (CAPPED_CODE, _("the frequency cap is reached"), texts.capped, none),
        (MISSING_CODE, no_value, texts.left_out, lacking),
        (BLOCKING_CODE, no_value, texts.blocking, lacking),
    )
    return [
        Skipped(
            reason=reason,
            code=code,
            count=group.count,
            examples=tuple(group.examples),
            missing=dict(sorted(missing.items())),
        )
        for code, reason, group, missing in groups
        if group.count
    ]


def _warnings(campaign: Campaign, recipients: int, texts: TextReport) -> list[ValidationError]:
    warnings = []
    if recipients and not texts.will_receive and not texts.blocking.count:
        warnings.append(ValidationError(_("Nobody would receive it: all recipients are skipped."), code="nobody"))
    return [*warnings, *time_warnings(campaign), *_audience_warnings(campaign)]


def _audience_warnings(campaign: Campaign) -> list[ValidationError]:
    """Count the audience of the campaign again: it may have grown or shrunk since it was added."""
    account = find_account(campaign.account)
    if not campaign.audience or account is None:
        return []
    try:
        audience = find_audience(account, campaign.audience)
        now = count_people(audience)
    except ImproperlyConfigured as error:
        return [ValidationError(str(error), code="audience")]
    before = campaign.messages.count()
    if now == before:
        return []
    text = _("The audience “%(name)s” has %(now)d objects now, and the campaign has %(before)d recipients.")
    params = {"name": str(audience.label or campaign.audience), "now": now, "before": before}
    return [ValidationError(text, code="audience", params=params)]


def _spending_warnings(campaign: Campaign, cost: Decimal | None) -> list[ValidationError]:
    account = find_account(campaign.account)
    if account is None or account.spending_limit is None:
        return []
    missing = without_price((channel.channel for channel in campaign.channels.all()), account.prices)
    if missing:
        text = _("There is a spending limit, but no price in PRICES for %(channels)s: the campaign would be paused.")
        return [ValidationError(text, code="no-price", params={"channels": ", ".join(missing)})]
    now = timezone.now()
    left = amount_left(account, campaign, max(now, campaign.start_time or now))
    if cost is None or left is None or cost <= left:
        return []
    text = _(
        "The campaign may cost more than the spending limit leaves for it (%(left)s). It would then be paused before "
        "it is complete."
    )
    return [ValidationError(text, code="spending-limit", params={"left": format_amount(left, account.currency)})]


def time_warnings(campaign: Campaign) -> list[ValidationError]:
    """Return the warnings that depend on the current time."""
    if campaign.start_time and campaign.start_time < timezone.now():
        return [ValidationError(_("The start time is in the past."), code=PAST_START_CODE)]
    return []


def _summary(texts: TextReport) -> Segments | None:
    counted = texts.segments
    if not counted:
        return None
    encodings: Counter[str] = Counter()
    for (encoding, _number), recipients in counted.items():
        encodings[encoding] += recipients
    return Segments(
        encodings=dict(encodings),
        ucs2=dict(texts.ucs2),
        fewest=min(number for _encoding, number in counted),
        most=max(number for _encoding, number in counted),
        total=sum(number * recipients for (_encoding, number), recipients in counted.items()),
        over_one=sum(recipients for (_encoding, number), recipients in counted.items() if number > 1),
    )


def _costs(campaign: Campaign, texts: TextReport) -> tuple[Decimal, Decimal, Decimal] | tuple[None, None, None]:
    prices = find_prices(campaign.account)
    names = [channel.channel for channel in campaign.channels.all()]
    if not names or texts.errors or without_price(names, prices):
        return None, None, None
    facts = names, prices, texts.segments, texts.will_receive
    return *cost_range(*facts), cost_of_attempts(*facts)
