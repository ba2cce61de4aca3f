"""The settings of the tests with another look of the admin: HYBER_TEST_THEME is "unfold" or "grappelli"."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, env

THEME = env.str("HYBER_TEST_THEME")
INSTALLED_APPS = [THEME, *INSTALLED_APPS]
ROOT_URLCONF = "tests.themes.urls"
