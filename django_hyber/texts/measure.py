"""How much of a channel's limits is used, and what is wrong with what stands there: beside each field, while typing."""

from __future__ import annotations

from dataclasses import dataclass

from django_hyber.protocol import MAX_SEGMENTS, SMS, Channel, SegmentCount, count_segments, field_rules

__all__ = ["Measure", "SegmentCount", "measure"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The length of a text in characters, and its limit. ``segments`` is that of an SMS text only.

    ``length_as_written`` is what the SMS text takes with its own links, where click tracking puts others in; else None.
    """

    field: str
    length: int
    limit: int
    segments: SegmentCount | None = None
    length_as_written: int | None = None

    @property
    def left(self) -> int:
        """How many characters may follow; negative is too many."""
        return self.limit - self.length

    @property
    def segment_limit(self) -> int:
        """How many segments an SMS may take."""
        return MAX_SEGMENTS

    @property
    def is_over(self) -> bool:
        """Whether this is more than the platform takes."""
        return self.left < 0 or (self.segments is not None and not self.segments.fits)


def measure(channel: Channel) -> list[Measure]:
    """Measure every field of a channel that has a limit and is a text; values have been put in before."""
    measures = []
    for rule in field_rules(type(channel)):
        if rule.max_length is None:
            continue
        value = getattr(channel, rule.name)
        text = value if isinstance(value, str) else ""
        if isinstance(channel, SMS) and rule.name == "text":
            measures.append(_sms_measure(channel, text, rule.max_length))
        else:
            measures.append(Measure(field=rule.name, length=len(text), limit=rule.max_length))
    return measures


def _sms_measure(sms: SMS, text: str, limit: int) -> Measure:
    written = count_segments(text)
    sent = count_segments(text, click_tracking=True) if sms.ctr else written
    return Measure(
        field="text",
        length=len(text),
        limit=limit,
        segments=sent,
        length_as_written=written.length if sent.length != written.length else None,
    )
