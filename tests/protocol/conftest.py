import ssl
import subprocess

import pytest

from django_hyber.protocol import HyberClient

from . import platforms

CLIENT_ID = "1234"
LOGIN = "login-of-mine"
PASSWORD = "pässword-Ж-secret"


@pytest.fixture
def platform():
    with platforms.serve() as running:
        yield running


@pytest.fixture
def make_client(monkeypatch):
    """Build clients for a local URL, and close them afterwards."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    clients = []

    def make(url, **changes):
        arguments = {
            "client_id": CLIENT_ID,
            "login": LOGIN,
            "password": PASSWORD,
            "api_url": url + "/{client_id}",
            "bulk_url": url + "/{client_id}",
            "reports_url": url + "/{client_id}",
            "connect_timeout": 2,
            "read_timeout": 2,
        }
        clients.append(HyberClient(**arguments | changes))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(platform, make_client):
    return make_client(platform.url)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    path = folder / "server.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    try:
        command += ["-keyout", folder / "key.pem", "-out", path]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    path.write_text(path.read_text() + (folder / "key.pem").read_text())
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
