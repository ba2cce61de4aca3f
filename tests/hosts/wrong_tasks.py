from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import env

TASKS = env.json("TEST_TASKS")
