from __future__ import annotations

from typing import Any

from django.db import models


class PersonalDataModel(models.Model):
    """A table with personal data. A row that is masked in memory cannot be saved: the masks would replace the data."""

    is_masked = False

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row. Raises TypeError if it is masked."""
        if self.is_masked:
            raise TypeError("A row whose personal data is masked cannot be saved.")
        super().save(*args, **kwargs)
