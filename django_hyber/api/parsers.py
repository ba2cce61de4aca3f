"""The reading of request bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

from django_hyber.protocol.wire.incoming_values import is_storable


class JSONParser(parsers.JSONParser):
    """Refuses the JSON that Python reads and no database stores: NUL, half characters, and objects without end."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the data. Raises ParseError, which is answered with 400."""
        try:
            data: dict[str, Any] = super().parse(stream, media_type, parser_context)
            is_good = is_storable(data)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        if not is_good:
            raise ParseError("The JSON contains NUL, or half of a character: a lone surrogate.")
        return data
