"""Clients that post at the same time, each on a database connection of its own."""

from __future__ import annotations

import json
from functools import wraps

from django.db import connections
from django.test import Client
from django.urls import reverse

from django_hyber.sending.batch import submit_batch
from tests.conftest import TOKEN


def in_own_connection(function):
    @wraps(function)
    def work(*arguments):
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return work


@in_own_connection
def post(body, kind="reports"):
    """Post as the platform does and return the HTTP status; our own trouble is a 500, as under a web server."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = reverse(f"django_hyber:{kind}", kwargs={"token": TOKEN})
    return Client(raise_request_exception=False).post(url, data, content_type="application/json").status_code


submit = in_own_connection(submit_batch)
