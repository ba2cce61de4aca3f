"""Celery, for projects that choose it."""
