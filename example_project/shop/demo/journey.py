"""The demo from an empty database to the closing table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.test.utils import override_settings

from django_hyber.models import Campaign, Message
from django_hyber.services import dispatch
from shop.demo import processes, results
from shop.demo.admin_client import AdminClient, Channel
from shop.demo.orders import CUSTOMERS, place_orders
from shop.demo.progress import Progress
from shop.demo.recipients import batch_size, phones, recipients_file

USERNAME = PASSWORD = "demo"
TIMEOUT = 90
SWEEP_EVERY = 0.3
CHANNELS: tuple[Channel, ...] = (
    ("viber", {"text": "%name%, your order is waiting for you.", "ttl": "60"}),
    ("sms", {"text": "%name%, your order is waiting for you.", "ttl": "300", "alpha_name": "Shop"}),
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the two servers of the demo are."""

    web: str
    sandbox: str


def fresh_database() -> None:
    """Make the demo's own database anew. Another one, named by DATABASE_URL, is only used if it has no messages yet."""
    connection.close()
    if Path(str(connection.settings_dict["NAME"])) == settings.DEMO_DATABASE:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{settings.DEMO_DATABASE}{suffix}").unlink(missing_ok=True)
    call_command("migrate", verbosity=0)
    if Message.objects.exists():
        raise CommandError("The demo wants a database without messages, and DATABASE_URL names one that has some.")
    get_user_model().objects.create_superuser(USERNAME, password=PASSWORD)


@contextmanager
def servers(recipients: int, web_port: int, sandbox_port: int) -> Iterator[Site]:
    """Run the sandbox and the web server, and send from this process too through them."""
    web_port, sandbox_port = processes.find_port(web_port), processes.find_port(sandbox_port)
    site = Site(web=f"http://{processes.HOST}:{web_port}", sandbox=f"http://{processes.HOST}:{sandbox_port}")
    account = _account(site, recipients)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="hyber-demo-")))
        stack.enter_context(processes.sandbox(sandbox_port, account, logs / "sandbox.log"))
        stack.enter_context(processes.web_server(web_port, account, logs / "web.log"))
        if settings.DB_WORKER:
            stack.enter_context(processes.worker(account, logs / "worker.log"))
        # The ports are known only now; the web server got the same by its environment.
        stack.enter_context(override_settings(HYBER={"default": account}))
        yield site


def _account(site: Site, recipients: int) -> dict[str, object]:
    url = f"{site.sandbox}/{settings.SANDBOX_ACCOUNT['CLIENT_ID']}"
    return {
        **settings.SANDBOX_ACCOUNT,
        "API_URL": url,
        "BULK_URL": url,
        "REPORTS_URL": url,
        "CALLBACK_BASE_URL": site.web,
        "BATCH_SIZE": batch_size(recipients),
        # As patient as for a real platform would take minutes.
        "RETRY_DELAY": 1,
        "NOT_FOUND_GRACE": 1,
        "ASK_EVERY": 1,
    }


def play(site: Site, recipients: int, out: OutputWrapper) -> results.Results:
    """Send a campaign through the admin and ship some orders; wait until all has ended, and compare."""
    campaign = _send_campaign(site, recipients, out)
    out.write("Shipping the orders of the shop")
    place_orders()
    _wait(campaign, recipients, out)
    return results.collect(campaign, recipients, site.sandbox)


def _send_campaign(site: Site, recipients: int, out: OutputWrapper) -> Campaign:
    admin = AdminClient(site.web)
    admin.log_in(USERNAME, PASSWORD)
    pk = admin.add_campaign("Autumn sale", CHANNELS)
    accepted = admin.import_recipients(pk, recipients_file(phones(recipients)))
    out.write(f"Imported through the admin: {accepted:,} recipients")
    admin.send(pk)
    out.write("Sent through the admin")
    return Campaign.objects.get(pk=pk)


def _wait(campaign: Campaign, recipients: int, out: OutputWrapper) -> None:
    """Sweep until everything has ended as it must, or the time is over."""
    total = recipients + len(CUSTOMERS)
    progress = Progress("Ended as they must", total, out)
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        dispatch()
        reached = results.count_reached(campaign)
        progress.show(reached)
        campaign.refresh_from_db()
        if reached == total and campaign.status == Campaign.Status.FINISHED:
            break
        time.sleep(SWEEP_EVERY)
    progress.close()


def keep_sweeping() -> None:
    """Go on with what is due until somebody stops it."""
    while True:
        dispatch()
        time.sleep(1)
