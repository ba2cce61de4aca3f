from contextlib import ExitStack

import pytest
import requests

from django_hyber.sandbox import Sandbox
from tests.sandbox.receiver import Receiver


class Api:
    """A client that knows nothing but the guide's URLs."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.auth = ("sandbox", "sandbox")

    def post(self, path="", json=None, **options):
        return self.session.post(self.sandbox.url + path, json=json, timeout=10, **options)

    def get(self, path):
        return self.session.get(self.sandbox.url + path, timeout=10)

    def report(self, extra_id, form="simple"):
        return self.get(f"/api/dr/external/{extra_id}/{form}").json()


@pytest.fixture
def start():
    """Start a sandbox with options; returns a client of it."""
    with ExitStack() as stack:

        def start_sandbox(**options):
            quick = {"latency": 0.01, "time_scale": 0.0005, "report_interval": 0.01}
            api = Api(stack.enter_context(Sandbox(**(quick | options))))
            stack.callback(api.session.close)
            return api

        yield start_sandbox


@pytest.fixture
def api(start):
    return start()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()
