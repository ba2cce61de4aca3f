"""What a piece of code asks of the database."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext


def statements_of(function, *arguments, **options):
    """The SQL that a call takes."""
    with CaptureQueriesContext(connection) as captured:
        function(*arguments, **options)
    return [query["sql"] for query in captured]
