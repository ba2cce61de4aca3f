"""The events of the log: every warning and error of the package names one in ``extra``, with ids of what it is about.

The texts of the log may change, the names do not. The ids contain no personal data.
"""

from __future__ import annotations

import enum
import logging

from django_hyber.protocol import describe_traceback

logger = logging.getLogger("django_hyber")


class LogEvent(enum.StrEnum):
    """A name, stable for alerts and searches, and its description."""

    description: str

    def __new__(cls, name: str, description: str) -> LogEvent:
        """Return the member with this name."""
        event = str.__new__(cls, name)
        event._value_ = name
        event.description = description
        return event

    ACCOUNT_INVALID = "account-invalid", "The settings of an account are missing or invalid, and its work waits."
    ATTACHMENT_FAILED = "attachment-failed", "The attachment of a reply could not be downloaded."
    AUDIENCE_FAILED = "audience-failed", "A function or queryset of AUDIENCES has failed."
    BATCH_SPLIT = "batch-split", "A batch was too large for the platform and was split into two."
    CALLBACK_ADDRESS = "callback-address", "A callback came to a mistyped address and was rejected."
    CALLBACK_FAILED = "callback-failed", "A callback could not be stored; the platform was asked to send it again."
    CALLBACK_FLOOD = "callback-flood", "An account got too many unusable callbacks; the rest of the day is not stored."
    CALLBACK_MISPLACED = (
        "callback-misplaced",
        "Replies arrived at the address for reports, or the reverse.",
    )
    CALLBACK_NETWORK = "callback-network", "A callback from outside of CALLBACK_NETWORKS was rejected."
    CALLBACK_TOKEN = "callback-token", "A callback with a wrong token was rejected."
    CALLBACK_TOO_LARGE = "callback-too-large", "A callback above CALLBACK_MAX_BYTES was rejected."
    CLAIM_LOST = "claim-lost", "Another worker has claimed what this one was working on, or it was stopped."
    DATABASE_RETRY = "database-retry", "A write was rolled back by the database and is retried."
    DECIDED_BY_USER = "decided-by-user", "A user has decided about an unknown outcome."
    EARLY_REPORTS_DELAYED = "early-reports-delayed", "Reports that overtook an answer are applied by the next sweep."
    FILE_NOT_DELETED = "file-not-deleted", "A stored file could not be deleted; a sweep tries again."
    FORGOTTEN = (
        "forgotten",
        "Messages with an unknown outcome were in no batch whose outcome is queried; each is queried now.",
    )
    HOOK_FAILED = "hook-failed", "A function that is called after a commit has failed."
    JOB_CUT_OFF = "job-cut-off", "A job in the background was interrupted; a sweep resumes it."
    JOB_FAILED = "job-failed", "A job in the background has failed unexpectedly."
    MESSAGE_WARNING = "message-warning", "A message was accepted by send_message() with something to improve."
    METRICS_FAILED = "metrics-failed", "The state could not be read for Prometheus; ``hyber_up`` is 0."
    OUTCOME_UNKNOWN = "outcome-unknown", "It is unknown whether the platform accepted a request; it is queried."
    QUERY_UNANSWERED = "query-unanswered", "The platform did not answer a query."
    RECEIVER_FAILED = "receiver-failed", "A receiver of a signal has failed; it is called again."
    RECEIVER_GIVEN_UP = "receiver-given-up", "A receiver of a signal has failed too often and is not called again."
    REPORT_UNREADABLE = "report-unreadable", "A stored report cannot be read, for a signal or for its message."
    REQUEST_FAILED = "request-failed", "A request has failed on our side, before or after it was written."
    REQUEST_TOO_LARGE = "request-too-large", "A proxy refuses even the request of a single message as too large."
    ROW_LEFT_OUT = "row-left-out", "Work on one message, batch or campaign has failed unexpectedly; the others go on."
    SCRIPT_NAME = "script-name", "The callback URL lacks the script name of the web server."
    SPENDING_LIMIT = "spending-limit", "A campaign was paused by SPENDING_LIMIT."
    SWEEP_FAILED = "sweep-failed", "A sweep of hyber_dispatch has failed; the next one continues."
    SWEEP_STEP_FAILED = "sweep-step-failed", "A step of a sweep has failed; the other steps go on."
    TEMPLATE_DIFFERS = "template-differs", "A Viber text differs from the approved template."
    ZONE_UNKNOWN = "zone-unknown", "A batch waits because a time zone is not installed on this machine."


def log_failure(event: LogEvent, error: Exception, text: str, /, *arguments: object, **ids: object) -> None:
    """Log an unexpected error with the place where it was raised, and with no value of a variable.

    ``arguments`` are those of the text, ``ids`` name what the event is about.
    """
    with_place = f"{text}\n%s"
    logger.error(with_place, *arguments, describe_traceback(error), extra={"event": event, **ids}, stacklevel=2)
