"""The files in example_project/deploy, as far as they can be used without a server of one's own."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.processes.programs import free_port, running, serving, wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "example_project"
DEPLOY = EXAMPLE / "deploy"
PROGRAMS = Path(sys.executable).parent
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
NGINX = shutil.which("nginx", path=SYSTEM_PATH)
SYSTEMD_ANALYZE = shutil.which("systemd-analyze", path=SYSTEM_PATH)
TIMEOUT = 120
#: The sandbox accepts a message to a number that ends in 93, and never reports on it.
PHONE = "380671234593"
SEND = f"""
from django_hyber.protocol import SMS
from django_hyber.services import send_message
send_message("+{PHONE}", [SMS(text="On its way", alpha_name="Shop", ttl=300)], extra_id="order-1-shipped")
"""


def environment(**changes):
    """What deploy/shop.env says, filled in."""
    lines = (line for line in (DEPLOY / "shop.env").read_text().splitlines() if line and not line.startswith("#"))
    values = dict(line.split("=", 1) for line in lines) | {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "HYBER_CLIENT_ID": "1234",
        "HYBER_LOGIN": "shop",
        "HYBER_PASSWORD": secrets.token_urlsafe(12),
        "HYBER_CALLBACK_TOKENS": secrets.token_urlsafe(24),
    }
    ours = ("DATABASE_URL", "DEBUG", "DJANGO_", "HYBER_", "SECRET_KEY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"DEBUG": "off", "PYTHONPATH": os.pathsep.join(places)} | values | changes


def manage(*arguments, env):
    program = [sys.executable, EXAMPLE / "manage.py", *arguments]
    return subprocess.run(program, env=env, cwd=EXAMPLE, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def command(unit):
    """The program that a unit starts, with the paths of this checkout."""
    (line,) = re.findall("^ExecStart=(.*)$", (DEPLOY / "systemd" / unit).read_text(), re.MULTILINE)
    return shlex.split(line.replace("/srv/shop/venv/bin", str(PROGRAMS)))


@pytest.mark.parametrize("key", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY": "only-for-trying-it-out"}], ids=str)
def test_secret_of_the_trial_is_refused_outside_debug(key):
    env = environment()
    del env["SECRET_KEY"]
    ended = manage("check", env=env | key)

    assert ended.returncode != 0
    assert "SECRET_KEY is not set" in ended.stderr


def test_wsgi_server_does_not_start_with_the_secret_of_the_trial():
    env = environment()
    del env["SECRET_KEY"], env["DEBUG"]
    program = [sys.executable, "-c", "import config.wsgi"]
    ended = subprocess.run(program, env=env, cwd=EXAMPLE, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert ended.returncode != 0
    assert "SECRET_KEY is not set" in ended.stderr


def test_filled_in_environment_passes_the_deployment_checks(tmp_path):
    env = environment(MEDIA_ROOT=str(tmp_path / "media"), DATABASE_URL=f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    ended = manage("check", "--deploy", "--fail-level", "WARNING", "--database", "default", env=env)

    assert ended.returncode == 0, ended.stderr


def test_environment_that_is_not_filled_in_is_refused(tmp_path):
    env = environment(HYBER_CLIENT_ID="", HYBER_LOGIN="", HYBER_PASSWORD="", HYBER_CALLBACK_TOKENS="")
    ended = manage("check", env=env | {"MEDIA_ROOT": str(tmp_path / "media")})

    assert ended.returncode != 0
    assert "CLIENT_ID" in ended.stderr


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is not installed: apt install systemd")
def test_units_are_valid(tmp_path):
    units = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", units)
    for unit in units.glob("*.service"):
        unit.write_text(unit.read_text().replace("/srv/shop/venv/bin", str(PROGRAMS)))
    names = [str(path).replace("@.", "@1.") for path in units.iterdir() if path.is_file()]
    ended = subprocess.run(
        [SYSTEMD_ANALYZE, "verify", *sorted(names)], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )

    # Unknown keys are only warned about.
    assert (ended.returncode, ended.stderr) == (0, "")


def test_every_service_starts_a_command_that_exists(tmp_path):
    lines = [
        line.split()
        for path in (DEPLOY / "systemd").glob("*.service")
        for line in re.findall("^#?Exec(?:Start|StartPre)=(.*)$", path.read_text(), re.MULTILINE)
    ]
    commands = {words[2] for words in lines if words[1] == "manage.py"}
    known = manage("help", "--commands", env=environment()).stdout.split()

    assert commands >= {"db_worker", "hyber_dispatch", "hyber_fetch_reports"}
    assert commands <= set(known)


class Site:
    """The example behind nginx, with the programs of the units, at free ports and in a folder of its own."""

    def __init__(self, place):
        self.place = place
        self.https, self.http, self.web, self.sandbox = (free_port() for _ in range(4))
        urls = dict.fromkeys(
            ("HYBER_API_URL", "HYBER_BULK_URL", "HYBER_REPORTS_URL"), f"http://127.0.0.1:{self.sandbox}/{{client_id}}"
        )
        self.environment = environment(
            DATABASE_URL=f"sqlite:///{place / 'shop.sqlite3'}",
            STATIC_ROOT=str(place / "static"),
            MEDIA_ROOT=str(place / "media"),
            **urls,
        )

    @property
    def token(self):
        return self.environment["HYBER_CALLBACK_TOKENS"]

    def prepare(self):
        for arguments in (["migrate"], ["collectstatic", "--no-input"]):
            ended = manage(*arguments, env=self.environment)
            assert ended.returncode == 0, ended.stderr
        (self.place / "media").mkdir()
        (self.place / "media" / "offer.png").write_bytes(b"picture")
        (self.place / "hyber-private").mkdir()
        (self.place / "hyber-private" / "recipients.csv").write_text(PHONE)

    def make_certificate(self):
        names = ["-keyout", self.place / "privkey.pem", "-out", self.place / "fullchain.pem"]
        subject = ["-subj", "/CN=shop.example", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
        program = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *subject]
        subprocess.run(program, capture_output=True, timeout=TIMEOUT, check=True)

    def write_nginx_configuration(self):
        """The file of deploy/, with the ports and folders of this test, within the least that nginx needs around it."""
        changes = {
            "listen 443": f"listen 127.0.0.1:{self.https}",
            "listen 80": f"listen 127.0.0.1:{self.http}",
            "127.0.0.1:8000": f"127.0.0.1:{self.web}",
            "/etc/letsencrypt/live/shop.example": str(self.place),
            "/var/lib/shop": str(self.place),
            "/var/log/nginx": str(self.place),
        }
        text = (DEPLOY / "nginx" / "shop.conf").read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (self.place / "shop.conf").write_text(text)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"{kind}_temp_path {self.place / kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""
        (self.place / "nginx.conf").write_text(
            f"daemon off; {user} pid {self.place / 'nginx.pid'}; error_log {self.place / 'nginx.log'}; events {{}}"
            f" http {{ {folders} include {self.place / 'shop.conf'}; }}"
        )

    @property
    def nginx(self):
        return [NGINX, "-p", self.place, "-e", self.place / "nginx.log", "-c", self.place / "nginx.conf"]

    def serve_sandbox(self):
        names = {"client-id": "CLIENT_ID", "login": "LOGIN", "password": "PASSWORD"}
        credentials = [f"--{option}={self.environment[f'HYBER_{name}']}" for option, name in names.items()]
        program = [sys.executable, "-m", "django_hyber.sandbox", str(self.sandbox), *credentials]
        return serving(program, f"http://127.0.0.1:{self.sandbox}/_sandbox/ledger", self.place / "sandbox.log")

    def serve_web(self):
        program = [word.replace(":8000", f":{self.web}") for word in command("shop-web.service")]
        return serving(program, f"http://127.0.0.1:{self.web}/", self.place / "web.log", **self.options)

    @contextmanager
    def serve_nginx(self):
        self.make_certificate()
        self.write_nginx_configuration()
        with running(self.nginx, self.place / "nginx.out") as process:
            # It listens before it writes its process id. A request would be redirected to a port that is not ours.
            wait_until((self.place / "nginx.pid").exists, otherwise=self.logs)
            yield process

    def work(self):
        return running(command("shop-worker@.service"), self.place / "worker.log", **self.options)

    @property
    def options(self):
        return {"cwd": EXAMPLE, "env": self.environment}

    def request(self, method, path, **options):
        url = f"https://127.0.0.1:{self.https}{path}"
        headers = {"Host": "shop.example"} | options.pop("headers", {})
        certificate = str(self.place / "fullchain.pem")
        return requests.request(
            method, url, headers=headers, verify=certificate, timeout=30, allow_redirects=False, **options
        )

    def report(self, size=1, **changes):
        facts = {"time": 1_900_000_000_000, "status": 2, "substatus": 23, "hyber_status": 23011, "sent_via": "sms"}
        item = facts | {"number": PHONE, "extra_id": "order-1-shipped", "message_id": "platform-1"} | changes
        body = json.dumps([item]).ljust(size)
        headers = {"Content-Type": "application/json"}
        return self.request("POST", f"/hyber/{self.token}/reports/", data=body, headers=headers)

    def message(self):
        with closing(sqlite3.connect(self.place / "shop.sqlite3", timeout=20)) as database:
            return database.execute("SELECT status, channel FROM django_hyber_message").fetchone()

    def logs(self):
        return "".join(path.read_text(errors="replace") for path in self.place.glob("*.log"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if NGINX is None:
        pytest.skip("nginx is not installed: apt install nginx")
    site = Site(tmp_path_factory.mktemp("site"))
    site.prepare()
    with ExitStack() as stack:
        for server in (site.serve_sandbox(), site.serve_web(), site.serve_nginx()):
            stack.enter_context(server)
        yield site


@pytest.mark.processes
def test_nginx_accepts_its_configuration(site):
    ended = subprocess.run([*site.nginx, "-t"], capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "[warn]" not in ended.stderr


@pytest.mark.processes
def test_message_is_sent_by_the_worker_and_its_report_comes_through_nginx(site):
    with site.work():
        assert manage("shell", "-c", SEND, env=site.environment).returncode == 0
        wait_until(lambda: site.message() == ("accepted", ""), timeout=TIMEOUT, otherwise=site.logs)

    answer = site.report()

    assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    assert site.message() == ("delivered", "sms")


@pytest.mark.processes
def test_callback_of_the_largest_size_is_accepted_and_a_larger_one_refused(site):
    limit = 5 * 1024 * 1024

    assert site.report(size=limit, extra_id="unknown").status_code == 200
    assert site.report(size=limit + 1).status_code == 413


@pytest.mark.processes
def test_static_files_and_images_are_served_and_personal_data_is_not(site):
    assert site.request("GET", "/static/admin/css/base.css").status_code == 200
    assert site.request("GET", "/media/offer.png").content == b"picture"
    for path in ("/hyber-private/recipients.csv", "/media/../hyber-private/recipients.csv", "/media%2e%2e/x"):
        assert site.request("GET", path).status_code in {400, 404}


@pytest.mark.processes
def test_plain_http_is_redirected_and_the_admin_is_behind_https(site):
    plain = requests.get(
        f"http://127.0.0.1:{site.http}/admin/", headers={"Host": "shop.example"}, timeout=30, allow_redirects=False
    )
    page = site.request("GET", "/admin/login/")

    assert (plain.status_code, plain.headers["Location"]) == (301, "https://shop.example/admin/")
    assert page.status_code == 200
    assert "max-age" in page.headers["Strict-Transport-Security"]
    assert "secure" in page.headers["Set-Cookie"].lower()


@pytest.mark.processes
def test_forwarded_address_of_a_client_is_not_believed(site):
    answer = site.request("GET", "/admin/login/", headers={"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"})

    assert answer.status_code == 200


@pytest.mark.processes
def test_token_is_in_no_log_even_when_the_web_server_is_down(tmp_path):
    if NGINX is None:
        pytest.skip("nginx is not installed: apt install nginx")
    site = Site(tmp_path)
    with site.serve_nginx():
        assert site.report().status_code == 502
        assert site.report(size=6 * 1024 * 1024).status_code == 413
        assert site.request("GET", "/shop/").status_code == 502
        requests.post(f"http://127.0.0.1:{site.http}/hyber/{site.token}/reports/", timeout=30, allow_redirects=False)

    assert "GET /shop/" in site.logs()
    assert site.token not in site.logs()
