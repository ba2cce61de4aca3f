from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import HyberModel, ListedNumberModel
from django_hyber.models.campaign import Campaign

#: The user of a request, who may not be logged in.
User = AbstractBaseUser | AnonymousUser
USER_KEY_LENGTH = 64


class Contributor(HyberModel):
    """A user who wrote a campaign, changed it or imported recipients, or did so with the one that it was copied from.

    The row stays when the user is deleted, and needs no foreign key into the database of the users.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="contributors", verbose_name=_("campaign"), db_index=False
    )
    user_key = models.CharField(max_length=USER_KEY_LENGTH)

    class Meta:
        # The admin has no page for it.
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("campaign", "user_key"), name="hyber_contributor_once"),)

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.user_key}"


class TestSender(HyberModel):
    """A user who sends tests: when the latest were sent, and the id of the last one."""

    # Else pytest takes it for a class of tests where it is imported.
    __test__ = False

    user_key = models.CharField(max_length=USER_KEY_LENGTH, unique=True)
    sent_at = models.JSONField(default=list)
    latest = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.user_key


class TestNumber(ListedNumberModel):
    """A number to which people who write campaigns may send tests without the right to launch."""

    # Else pytest takes it for a class of tests where it is imported.
    __test__ = False

    name = models.CharField(_("owner"), max_length=100)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    added_by = models.CharField(_("added by"), max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = _("test number")
        verbose_name_plural = _("test numbers")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return f"{self.name}, {self.phone_number}"
