"""The lengths of the texts of a channel, and their limits."""

from __future__ import annotations

from dataclasses import dataclass

from django_hyber.protocol import MAX_SEGMENTS, SMS, Channel, SegmentCount, count_segments, field_rules

__all__ = ["Measure", "SegmentCount", "measure"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The length of a text in characters, and its limit. ``segments`` is that of an SMS text only.

    ``length_as_written`` is the length of an SMS with its original links, if click tracking replaces them; else None.
    """

    field: str
    length: int
    limit: int
    segments: SegmentCount | None = None
    length_as_written: int | None = None

    @property
    def left(self) -> int:
        """How many characters are left; negative if too many are used."""
        return self.limit - self.length

    @property
    def segment_limit(self) -> int:
        """How many segments an SMS may take."""
        return MAX_SEGMENTS

    @property
    def is_over(self) -> bool:
        """Whether the text is longer than the platform accepts."""
        return self.left < 0 or (self.segments is not None and not self.segments.fits)


def measure(channel: Channel) -> list[Measure]:
    """Measure every text field of a channel that has a limit. Its variables have already been replaced."""
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
