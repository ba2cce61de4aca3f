from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# A WSGI server is a deployment: it refuses to start with the key of a trial.
os.environ.setdefault("DEBUG", "off")
application = get_wsgi_application()
