"""The strictest content policy that a project may set: the admin has to work without inline code."""

from __future__ import annotations

POLICY = "default-src 'self'"


def with_strict_policy(application):
    """Wrap the running server itself: it has read its middleware setting long before.

    It has an icon too, if an empty one: to answer the browser's question for it on the way would turn off its cache.
    """

    def wrapped(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("Content-Security-Policy", POLICY)], exc_info)

        if environ["PATH_INFO"] == "/favicon.ico":
            start("204 No Content", [])
            return []
        return application(environ, start)

    return wrapped
