"""The strictest content policy that a project may set: the admin has to work without inline code."""

from __future__ import annotations

POLICY = "default-src 'self'"


def with_strict_policy(application):
    """Wrap the running server itself: it has read its middleware setting long before."""

    def wrapped(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("Content-Security-Policy", POLICY)], exc_info)

        return application(environ, start)

    return wrapped
