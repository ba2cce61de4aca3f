"""The sentences of the page before the launch: recipients, SMS segments, cost, schedule, and what is irreversible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from django_hyber.admin.campaigns.form import described_moment, distance_from_now, zone_name
from django_hyber.admin.campaigns.wait_texts import distance
from django_hyber.admin.channels.notes import shown_characters
from django_hyber.admin.common.model_admins import amount_text
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import clock_time, short_time
from django_hyber.campaigns.preflight import (
    BLOCKING_CODE,
    CAPPED_CODE,
    COUNTRY_OFF_CODE,
    MISSING_CODE,
    NOT_ALLOWED_CODE,
    OPTED_OUT_CODE,
    TYPE_OFF_CODE,
)
from django_hyber.campaigns.timetable import Timetable
from django_hyber.models import Campaign
from django_hyber.services import Preflight, Segments, Skipped

#: Why people get nothing. The form of the plural is that of ``people``.
SKIPPED_TEXTS = {
    OPTED_OUT_CODE: ngettext_lazy(
        "%(count)s person has opted out and gets nothing.",
        "%(count)s people have opted out and get nothing.",
        "people",
    ),
    NOT_ALLOWED_CODE: ngettext_lazy(
        "%(count)s person gets nothing: the account sends to the numbers in ALLOWED_NUMBERS only.",
        "%(count)s people get nothing: the account sends to the numbers in ALLOWED_NUMBERS only.",
        "people",
    ),
    COUNTRY_OFF_CODE: ngettext_lazy(
        "%(count)s person gets nothing: the account does not send to the country (ALLOWED_COUNTRIES).",
        "%(count)s people get nothing: the account does not send to their countries (ALLOWED_COUNTRIES).",
        "people",
    ),
    TYPE_OFF_CODE: ngettext_lazy(
        "%(count)s person gets nothing: the account does not send to numbers of this type.",
        "%(count)s people get nothing: the account does not send to numbers of these types.",
        "people",
    ),
    CAPPED_CODE: ngettext_lazy(
        "%(count)s person has reached the frequency cap and is skipped.",
        "%(count)s people have reached the frequency cap and are skipped.",
        "people",
    ),
    BLOCKING_CODE: ngettext_lazy(
        "%(count)s person has no value, so the campaign cannot be sent: %(names)s.",
        "%(count)s people have no value, so the campaign cannot be sent: %(names)s.",
        "people",
    ),
    MISSING_CODE: ngettext_lazy(
        "%(count)s person has no value and is skipped, as set in the campaign: %(names)s.",
        "%(count)s people have no value and are skipped, as set in the campaign: %(names)s.",
        "people",
    ),
}


def headline(found: Preflight) -> str:
    """Say how many people will get it, or would if the problems were fixed."""
    people = found.will_receive
    if found.may_start:
        text = ngettext("%(count)s person will get it.", "%(count)s people will get it.", people)
    else:
        text = ngettext("%(count)s person would get it.", "%(count)s people would get it.", people)
    return text % {"count": grouped(people)}


def skipped_text(skipped: Skipped) -> str:
    """Say how many are skipped for a reason; for missing values also which ones."""
    names = ", ".join(f"%{name}% ({grouped(number)})" for name, number in skipped.missing.items())
    values = {"people": skipped.count, "count": grouped(skipped.count), "names": names}
    return str(SKIPPED_TEXTS[skipped.code] % values)


def default_texts(campaign: Campaign, found: Preflight) -> Iterator[str]:
    """Say how many people get which default text."""
    for name, number in found.defaulted.items():
        text = ngettext(
            "%(count)s person has no value for %(name)s and gets “%(text)s” instead, as set in the campaign.",
            "%(count)s people have no value for %(name)s and get “%(text)s” instead, as set in the campaign.",
            number,
        )
        yield text % {"count": grouped(number), "name": f"%{name}%", "text": campaign.variable_defaults[name]}


def rejected_text(rows: int) -> str:
    """Say how many rows the latest imports rejected. Later ones may have added the same people."""
    text = ngettext("The latest imports rejected %(count)s row.", "The latest imports rejected %(count)s rows.", rows)
    return text % {"count": grouped(rows)}


def segment_texts(campaign: Campaign, segments: Segments) -> Iterator[str]:
    """Say how many segments the SMS take, and which characters require UCS-2."""
    total = {"total": grouped(segments.total), "most": grouped(segments.most), "fewest": grouped(segments.fewest)}
    if segments.fewest == segments.most:
        text = ngettext(
            "%(most)s segment per person, %(total)s in total.",
            "%(most)s segments per person, %(total)s in total.",
            segments.most,
        )
        yield text % total
    else:
        yield _("From %(fewest)s to %(most)s segments per person, %(total)s in total.") % total
        text = ngettext(
            "%(count)s person gets more than one segment.",
            "%(count)s people get more than one segment.",
            segments.over_one,
        )
        yield text % {"count": grouped(segments.over_one)}
    yield from _ucs2_texts(campaign, segments)


def cost_text(found: Preflight, channels: Sequence[str], currency: str) -> str:
    """State the cost by the PRICES setting, for a contract by deliveries and for one by attempts; "" without prices."""
    low, high, attempts = found.cost_low, found.cost_high, found.cost_attempts
    if low is None or high is None or attempts is None:
        return ""
    if low == high:
        text = _("%(high)s if every message is delivered.")
    elif len(channels) == 1:
        text = _(
            "From %(low)s to %(high)s if every message is delivered, depending on whether the text matches an approved "
            "template."
        )
    else:
        text = _("From %(low)s to %(high)s if every message is delivered, depending on the channels.")
    if attempts > high:
        more = _("If your contract charges for every attempt, delivered or not: up to %(attempts)s.")
        text = f"{text} {more}"
    amounts = {"low": low, "high": high, "attempts": attempts}
    return text % {name: amount_text(amount, currency) for name, amount in amounts.items()}


def when_texts(campaign: Campaign, timetable: Timetable, now: datetime) -> Iterator[str]:
    """State the start, the sending window, the rate and the estimated end."""
    if timetable.start:
        yield described_moment(timetable.start)
    elif timetable.opens_at:
        yield _("As soon as the sending window is open for a recipient.")
    else:
        yield _("Immediately after you press the button.")
    if campaign.window_start and campaign.window_end:
        text = _("Only from %(start)s to %(end)s, in each recipient's local time.")
        yield text % {"start": clock_time(campaign.window_start), "end": clock_time(campaign.window_end)}
    if timetable.opens_at:
        text = _("In %(zone)s the sending window opens at %(time)s, %(distance)s.")
        moment = timetable.opens_at
        yield text % {"zone": zone_name(), "time": short_time(moment), "distance": distance_from_now(moment)}
    if timetable.per_minute:
        text = ngettext(
            "At most %(count)s recipient per minute.", "At most %(count)s recipients per minute.", timetable.per_minute
        )
        yield text % {"count": grouped(timetable.per_minute)}
    else:
        yield _("No throttle: as fast as the platform accepts messages.")
    if timetable.end:
        begin = timetable.opens_at or timetable.start or now
        params = {"duration": distance(timetable.end, begin), "time": short_time(timetable.end)}
        yield _("Handing over to the platform takes %(duration)s (until about %(time)s).") % params


def days_text(timetable: Timetable) -> str:
    """Warn of a campaign that takes more than a day, or that a closed window interrupts."""
    if timetable.end is None:
        return _("At this rate, sending takes more than a year.")
    params = {
        "closing": short_time(timetable.closes_at),
        "time": short_time(timetable.end),
        "distance": distance_from_now(timetable.end),
    }
    if timetable.closes_at:
        text = _(
            "At this rate, the sending window closes at %(closing)s before everybody has got it. The others get it "
            "when the window opens again: sending ends only on %(time)s, %(distance)s."
        )
        return text % params
    return _("At this rate, sending ends only on %(time)s, %(distance)s.") % params


def recall_texts(timetable: Timetable) -> Iterator[str]:
    """Say what cannot be undone."""
    if timetable.held_until:
        yield _held_text(timetable) % {"time": short_time(timetable.held_until)}
    yield _("Messages that have been handed over to the platform cannot be recalled.")
    if timetable.per_minute or timetable.opens_at:
        yield _("Pause and Cancel stop messages that have not been handed over yet.")
    else:
        yield _(
            "Pause and Cancel stop only messages that have not been handed over yet. Without a throttle, everything "
            "may be handed over within seconds."
        )
    yield _("After the launch, texts and recipients cannot be changed.")


def _held_text(timetable: Timetable) -> str:
    if timetable.opens_at:
        return _(
            "Until %(time)s the campaign waits here and can be moved back to draft. After that, people get it as soon "
            "as the sending window is open for them."
        )
    return _(
        "Until %(time)s the campaign waits here and can be moved back to draft. Then it is handed over to the platform."
    )


def button_text(people: int, *, is_later: bool) -> str:
    """Return the label of the button, with the number of people."""
    if is_later:
        text = ngettext("Schedule for %(count)s person", "Schedule for %(count)s people", people)
    else:
        text = ngettext("Send to %(count)s person", "Send to %(count)s people", people)
    return text % {"count": grouped(people)}


def _ucs2_texts(campaign: Campaign, segments: Segments) -> Iterator[str]:
    number = segments.encodings.get("UCS-2", 0)
    if not number:
        return
    text = ngettext(
        "%(count)s person gets a text with Cyrillic or emoji: 70 characters per SMS segment instead of 160.",
        "%(count)s people get a text with Cyrillic or emoji: 70 characters per SMS segment instead of 160.",
        number,
    )
    yield text % {"count": grouped(number)}
    for name, characters in segments.ucs2.items():
        shown = {"characters": shown_characters(characters), "name": f"%{name}%"}
        if campaign.has_own_texts:
            yield _("Because of these characters in their individual texts: %(characters)s") % shown
        elif name:
            yield _("Because of these characters in the values of %(name)s: %(characters)s") % shown
        else:
            yield _("Because of these characters in the text: %(characters)s") % shown
