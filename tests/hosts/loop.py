"""Migrate, check, send a message to the sandbox, and receive its report over HTTP."""

from __future__ import annotations

import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

django.setup()

from django.template import engines  # noqa: E402

from django_hyber.protocol import SMS  # noqa: E402
from django_hyber.sandbox import Sandbox  # noqa: E402
from django_hyber.services import dispatch, send_message  # noqa: E402
from tests.conftest import account_settings  # noqa: E402
from tests.samples import phone  # noqa: E402


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        """Print nothing: the output is what the test reads."""


def main():
    call_command("migrate", verbosity=0)
    call_command("check", fail_level="ERROR")
    engines["django"].from_string("{{ 1 }}").render()
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password", latency=0.01) as sandbox:
        url = f"http://127.0.0.1:{server.server_port}"
        settings.HYBER["default"] = account_settings(sandbox, CALLBACK_BASE_URL=url)
        message = send_message(phone(1), [SMS(text="Hi", alpha_name="GMSU", ttl=300)])
        dispatch()
        for _ in range(100):
            message.refresh_from_db()
            if message.status == "delivered":
                break
            time.sleep(0.1)
    server.shutdown()
    print(f"The message is {message.status}.")


main()
