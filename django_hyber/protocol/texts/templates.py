"""A text with ``%name%`` in it, compiled for many recipients: what can be is done a page of them at a time in C."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from django_hyber.protocol.texts.variables import split_template

#: The values of one recipient, in the order of the names that were given.
Values = tuple[str, ...]


class Template:
    """The text between the variables (``literals``) and the ways to fill it."""

    def __init__(self, text: str, order: Mapping[str, int]) -> None:
        self.literals, self.names = split_template(text)
        self.fixed_length = sum(map(len, self.literals))
        self._format = "%s".join(literal.replace("%", "%%") for literal in self.literals)
        # With one index itemgetter returns the item itself; the % operator takes that as well.
        self._pick = itemgetter(*(order[name] for name in self.names)) if self.names else None

    def values(self, rows: Iterable[Values]) -> Iterator[str]:
        """Yield nothing but the values of each recipient, joined in the order of their appearance in the text."""
        if self._pick is None:
            return ("" for _row in rows)
        picked = map(self._pick, rows)
        return picked if len(self.names) == 1 else map("".join, picked)

    def lengths(self, rows: Iterable[Values]) -> Iterator[int]:
        """Yield the length of what each recipient's values add to the text."""
        return map(len, self.values(rows))

    def render(self, rows: Sequence[Values]) -> Iterator[str]:
        """Yield the text of each recipient."""
        if self._pick is None:
            return ("".join(self.literals) for _row in rows)
        return map(self._format.__mod__, map(self._pick, rows))
