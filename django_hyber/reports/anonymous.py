"""Reports without personal data: ids, statuses, codes and times stay."""

from __future__ import annotations

from django.db.models import QuerySet

from django_hyber.models import DeliveryReport


def anonymize_reports(reports: QuerySet[DeliveryReport]) -> int:
    """Remove the personal data of these reports and return how many there were."""
    return reports.update(phone_number="", raw={})
