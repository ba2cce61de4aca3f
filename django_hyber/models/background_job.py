from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, HyberManager, HyberModel
from django_hyber.models.campaign import Campaign
from django_hyber.storage import hyber_storage, private_name


def job_file_name(job: BackgroundJob, file_name: str) -> str:
    """Return the name under which a file of a job is stored."""
    return private_name("jobs", file_name)


class BackgroundJobQuerySet(models.QuerySet["BackgroundJob"]):
    """Filters by state."""

    def open(self) -> Self:
        """Select the jobs that are waiting or running."""
        return self.filter(state__in=BackgroundJob.OPEN_STATES)


BackgroundJobManager = HyberManager.from_queryset(BackgroundJobQuerySet)


class BackgroundJob(HyberModel):
    """A long task that a user requested in the admin, with its progress."""

    class Kind(models.TextChoices):
        IMPORT = "import", _("import of recipients")
        CHECK = "check", _("check before the launch")
        RETRY = "retry", _("sending again")
        EXPORT = "export", _("export")
        REMOVAL = "removal", _("removal of recipients")
        CANCEL = "cancel", _("cancellation of messages")

    class State(models.TextChoices):
        # The user has not yet confirmed the import or the removal.
        UPLOADED = "uploaded", _("not confirmed")
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        STOPPED = "stopped", _("stopped")

    OPEN_STATES = (State.WAITING, State.RUNNING)

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="jobs", verbose_name=_("campaign")
    )
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    source = models.FileField(_("file"), upload_to=job_file_name, storage=hyber_storage, max_length=255, blank=True)
    produced = models.FileField(
        _("result file"), upload_to=job_file_name, storage=hyber_storage, max_length=255, blank=True
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    done = models.PositiveIntegerField(_("done"), default=0)
    total = models.PositiveIntegerField(_("of"), null=True, blank=True)
    result = models.JSONField(_("result"), default=dict, blank=True)
    error_text = models.CharField(_("error text"), max_length=TEXT_LIMIT, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_until = models.DateTimeField(_("reserved until"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        # As of a campaign's author.
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = BackgroundJobManager()  # type: ignore[misc]  # declared on the base class too

    class Meta:
        verbose_name = _("background job")
        verbose_name_plural = _("background jobs")
        ordering = ("-id",)
        indexes = (models.Index(fields=("state", "lease_until"), name="hyber_job_open"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether the job is waiting or running."""
        return self.state in self.OPEN_STATES
