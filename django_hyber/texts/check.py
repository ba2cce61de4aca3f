"""The check of a campaign's texts: of each text as its recipient would get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.conf import Account, find_account
from django_hyber.db.bulk import CHUNK, VARIABLES_TEXT, Page, campaign_pages, read_documents
from django_hyber.models import Campaign, Message, MessageQuerySet
from django_hyber.policies.allowed_numbers import COUNTRY_OFF, NumberPolicy, not_allowed, stored_policy
from django_hyber.policies.frequency import with_cap
from django_hyber.protocol import (
    Channel,
    Problem,
    RenderedTexts,
    find_encoded_links,
    find_misspelled_variables,
    find_variables,
    validate_channels,
)
from django_hyber.protocol.collector import paused_collector
from django_hyber.words import place_of, problem_text

SHOWN = 5
#: The variable that holds a recipient's own text.
OWN_TEXT = "text"
# As plain strings: enum lookups are slow, and this runs for every recipient.
SKIP = Campaign.MissingVariables.SKIP.value
DEFAULT = Campaign.MissingVariables.DEFAULT.value


@dataclass(kw_only=True)
class RecipientGroup:
    """Some of the recipients; ``examples`` are the primary keys of the first ones."""

    count: int = 0
    examples: list[int] = field(default_factory=list)

    def add(self, pk: int) -> None:
        """Count a recipient."""
        self.count += 1
        if len(self.examples) < SHOWN:
            self.examples.append(pk)


@dataclass(kw_only=True)
class TextReport:
    """The result of the check of the texts, for the recipients who have not opted out.

    Numbers that the account does not send to are ``not_allowed`` (ALLOWED_NUMBERS), ``country_off`` or ``type_off``;
    their texts are not checked. ``missing`` counts the recipients without a value of a variable; ``left_out`` are those
    who are skipped for it, and ``blocking`` those who forbid the launch: ``lacking`` counts by variable for whom there
    is no default text either. ``defaulted`` counts by variable who gets the default text. ``capped`` are those with a
    text who have already got as many messages as the frequency cap allows. ``unfit`` are the primary keys of the first
    recipients with whose values a text would be refused. ``segments`` counts the texts of those who
    get them by encoding and number of SMS segments; ``ucs2`` has the characters that require UCS-2.
    """

    errors: list[ValidationError] = field(default_factory=list)
    warnings: list[ValidationError] = field(default_factory=list)
    recipients: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    defaulted: Counter[str] = field(default_factory=Counter)
    not_allowed: RecipientGroup = field(default_factory=RecipientGroup)
    country_off: RecipientGroup = field(default_factory=RecipientGroup)
    type_off: RecipientGroup = field(default_factory=RecipientGroup)
    left_out: RecipientGroup = field(default_factory=RecipientGroup)
    blocking: RecipientGroup = field(default_factory=RecipientGroup)
    capped: RecipientGroup = field(default_factory=RecipientGroup)
    unfit: list[int] = field(default_factory=list)
    segments: Counter[tuple[Any, int]] = field(default_factory=Counter)
    ucs2: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """How many numbers the account does not send to."""
        return self.not_allowed.count + self.country_off.count + self.type_off.count

    @property
    def will_receive(self) -> int:
        """How many people get the campaign."""
        return self.recipients - self.refused - self.left_out.count - self.blocking.count - self.capped.count


def check_texts(campaign: Campaign, progress: Callable[[int], object] | None = None) -> TextReport:
    """Check the channels, and the text of every recipient who has not opted out with the recipient's own values."""
    channels = campaign.get_channels()
    report = TextReport()
    for problem in _channel_problems(campaign, channels):
        (report.errors if problem.is_error else report.warnings).append(as_error(problem))
    if campaign.has_own_texts:
        report.errors += _unfilled_variables(channels)
        channels = [replace(channel, text=f"%{OWN_TEXT}%") for channel in channels]  # type: ignore[call-arg]
    names = sorted(find_variables(channels))
    # With an error in the channels themselves, every recipient would have the same problem: no text is checked.
    texts = RenderedTexts([] if report.errors else channels, names)
    account = find_account(campaign.account)
    recipients = _allowed(campaign.messages.all(), account, report)
    policy = stored_policy(account, campaign.number_types) if account else None
    if names or policy:
        pages = _pages(campaign, recipients, policy, report)
        report.errors += _read_recipients(campaign, names, pages, texts, report, progress)
    else:
        report.recipients += recipients.count()
        report.capped = _group(with_cap(recipients, campaign).filter(Q(is_capped=True)))
        texts.add([()], times=report.will_receive)
        texts.add([()], times=report.capped.count, is_counted=False)
    report.errors += [_rendered_error(*finding) for finding in texts.findings[:SHOWN]]
    report.segments, report.ucs2 = +texts.segments, texts.ucs2
    return report


def check_people(campaign: Campaign, messages: MessageQuerySet) -> TextReport:
    """Return to whom of these recipients of the campaign the account sends; their texts are not checked."""
    report = TextReport()
    account = find_account(campaign.account)
    recipients = _allowed(messages, account, report)
    policy = stored_policy(account, campaign.number_types) if account else None
    if policy is None:
        report.recipients += recipients.count()
        report.capped = _group(with_cap(recipients, campaign).filter(Q(is_capped=True)))
        return report
    for page in _pages(campaign, recipients, policy, report):
        for pk, _text, is_capped in page:
            if is_capped:
                report.capped.add(pk)
    return report


def _allowed(messages: MessageQuerySet, account: Account | None, report: TextReport) -> QuerySet[Message]:
    """Return the recipients who have not opted out and whom the account may send to, and count the others."""
    recipients = messages.not_opted_out()
    condition = not_allowed(account) if account else None
    if condition is None:
        return recipients
    report.not_allowed = _group(recipients.filter(condition))
    report.recipients = report.not_allowed.count
    return recipients.exclude(condition)


def _group(messages: QuerySet[Message]) -> RecipientGroup:
    return RecipientGroup(
        count=messages.count(), examples=list(messages.order_by("pk").values_list("pk", flat=True)[:SHOWN])
    )


def _pages(
    campaign: Campaign, recipients: QuerySet[Message], policy: NumberPolicy | None, report: TextReport
) -> Iterator[Page]:
    """Yield pages of (primary key, values as JSON, ``is_capped``), without the numbers that the policy refuses."""
    phone = ["phone_number"] if policy else []
    for page in campaign_pages(with_cap(recipients, campaign), CHUNK, VARIABLES_TEXT, "is_capped", *phone):
        report.recipients += len(page)
        yield _without_refused(page, policy, report) if policy else page


@paused_collector()
def _without_refused(page: Page, policy: NumberPolicy, report: TextReport) -> Page:
    allowed = []
    for pk, text, is_capped, phone in page:
        refusal = policy.refusal_of(phone)
        if not refusal:
            allowed.append((pk, text, is_capped))
        elif refusal == COUNTRY_OFF:
            report.country_off.add(pk)
        else:
            report.type_off.add(pk)
    return allowed


class LaunchError(ValidationError):
    """A problem of a campaign; ``channel`` and ``field`` say where, "" if it is about none."""

    def __init__(self, message: str, code: str, params: Any = None, *, channel: str = "", field: str = "") -> None:
        super().__init__(message, code, params)
        self.channel, self.field = channel, field


def as_error(problem: Problem) -> LaunchError:
    """Return the problem in the reader's language and with its place."""
    place, text = place_of(problem), problem_text(problem)
    message = f"{place}: {text}" if place else text
    return LaunchError(message, problem.code, channel=problem.channel, field=problem.field)


def _channel_problems(campaign: Campaign, channels: Sequence[Channel]) -> Iterator[Problem]:
    has_own_texts = campaign.has_own_texts
    yield from validate_channels(channels, text_from_recipient=has_own_texts, variables=not has_own_texts)
    yield from find_misspelled_variables(channels)
    if not has_own_texts:
        yield from find_encoded_links(channels)


def _unfilled_variables(channels: Sequence[Channel]) -> Iterator[ValidationError]:
    """With a text for each recipient, the platform does not replace variables."""
    names = sorted(find_variables(channels))
    if names:
        message = _(
            "Every recipient has an individual text, so these variables would be sent as they are: %(variables)s."
        )
        variables = ", ".join(f"%{name}%" for name in names)
        yield ValidationError(message, code="unfilled-variables", params={"variables": variables})


def _read_recipients(
    campaign: Campaign,
    names: Sequence[str],
    pages: Iterable[Page],
    texts: RenderedTexts,
    report: TextReport,
    progress: Callable[[int], object] | None,
) -> list[ValidationError]:
    """Add the values of every recipient to ``texts``; return an error for each variable without a value."""
    for page in pages:
        with paused_collector():
            rows, capped = _read_page(campaign, names, page, report)
            found = _refused(texts)
            texts.add(rows)
            # By the time of sending, the cap may allow them again.
            texts.add(capped, is_counted=False)
            if _refused(texts) > found:
                _add_unfit(campaign, names, page, texts, report)
        if progress:
            progress(report.recipients)
    return [_missing_variable(campaign, name, count) for name, count in sorted(report.lacking.items())]


def _read_page(
    campaign: Campaign, names: Sequence[str], page: Page, report: TextReport
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the values of those who have a text: who get it, and who have reached the cap. Count the others."""
    rows: list[tuple[str, ...]] = []
    capped: list[tuple[str, ...]] = []
    documents = read_documents(text for _pk, text, _is_capped in page)
    for (pk, _text, is_capped), values in zip(page, documents, strict=True):
        row = tuple(map(values.get, names))
        if not all(row):
            missing = _without_value(names, row)
            report.missing.update(missing)
            complete = complete_variables(campaign, names, values)
            if complete is None:
                report.left_out.add(pk)
                continue
            row = tuple(map(complete.get, names))
            if not all(row):
                report.lacking.update(_without_value(names, row))
                report.blocking.add(pk)
                continue
            if not is_capped:
                report.defaulted.update(missing)
        if is_capped:
            capped.append(row)
            report.capped.add(pk)
        else:
            rows.append(row)
    return rows, capped


def _refused(texts: RenderedTexts) -> int:
    return sum(finding.recipients for finding in texts.findings)


def _add_unfit(campaign: Campaign, names: Sequence[str], page: Page, texts: RenderedTexts, report: TextReport) -> None:
    """Search a page that has them for the recipients with whose values a text would be refused."""
    for item in page:
        if len(report.unfit) == SHOWN:
            return
        rows, capped = _read_page(campaign, names, [item], TextReport())
        report.unfit += [item[0] for values in (*rows, *capped) if texts.refuses(values)]


def _without_value(names: Sequence[str], row: Sequence[str | None]) -> list[str]:
    return [name for name, value in zip(names, row, strict=True) if not value]


def _missing_variable(campaign: Campaign, name: str, count: int) -> ValidationError:
    if campaign.has_own_texts:
        message = ngettext("%(count)d recipient has no text.", "%(count)d recipients have no text.", count)
    elif campaign.missing_variables == Campaign.MissingVariables.DEFAULT:
        message = ngettext(
            "%%%(name)s%% is missing for %(count)d recipient and has no default text: add one.",
            "%%%(name)s%% is missing for %(count)d recipients and has no default text: add one.",
            count,
        )
    else:
        message = ngettext(
            "%%%(name)s%% is missing for %(count)d recipient: fill in the column, remove the variable from the text, "
            "or choose what to do when a value is missing.",
            "%%%(name)s%% is missing for %(count)d recipients: fill in the column, remove the variable from the text, "
            "or choose what to do when a value is missing.",
            count,
        )
    return ValidationError(message, code="missing-variable", params={"name": name, "count": count})


def _rendered_error(problem: Problem, count: int) -> ValidationError:
    message = ngettext(
        "%(problem)s (with the values of %(count)d recipient).",
        "%(problem)s (with the values of %(count)d recipients).",
        count,
    )
    params = {"problem": as_error(problem).message.removesuffix("."), "count": count}
    return LaunchError(message, problem.code, params, channel=problem.channel, field=problem.field)


def complete_variables(campaign: Campaign, used: Collection[str], values: Mapping[str, str]) -> dict[str, str] | None:
    """Return the values of the variables that the texts use, or None for a recipient who is skipped.

    A missing or empty value is replaced by the campaign's default text for it. Without one, the recipient is
    skipped under SKIP; otherwise an empty value stays empty and a missing one stays missing: the check refuses both.
    """
    complete = {name: value for name in used if (value := values.get(name))}
    if len(complete) == len(used):
        return complete
    policy = campaign.missing_variables
    defaults = campaign.variable_defaults if policy == DEFAULT else {}
    for name in used:
        value = values.get(name)
        if not value:
            value = defaults.get(name) or value
        if not value and policy == SKIP:
            return None
        if value is not None:
            complete[name] = value
    return complete
