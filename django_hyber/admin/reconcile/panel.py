"""The panel with the evidence about an unknown outcome, on the page of a batch or message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.common.model_admins import described_code, link_to
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.admin.common.times import short_time
from django_hyber.conf import find_account
from django_hyber.models import Batch, Message
from django_hyber.privacy import mask_phones_in
from django_hyber.services import Doubt
from django_hyber.words import describe_end

PERMISSION = "django_hyber.resolve_doubt"
Answer = Batch.Answer
#: Why the last answer is not proof.
NO_PROOF = {
    Answer.NO_ANSWER: gettext_lazy("Without an answer, the outcome stays unknown."),
    Answer.NOT_FOUND: gettext_lazy(
        "One such answer is no proof, because the platform's reports can be late. Two are needed, some time apart."
    ),
    Answer.NO_CONTROL: gettext_lazy("A wrong URL would give the same answer to every query."),
    Answer.NOT_EVEN_KNOWN: gettext_lazy(
        "The reports of the platform are late, or REPORTS_URL of the account is wrong."
    ),
    Answer.UNLIKE_UNKNOWN: gettext_lazy("The platform may have a record of it."),
    Answer.OTHER_CLIENT: gettext_lazy(
        "Messages can only be found with the CLIENT_ID and the addresses that sent them."
    ),
    Answer.UNUSUAL_ID: gettext_lazy("The query may not have reached the platform as it was meant."),
}


class PanelFact(NamedTuple):
    """A line of the panel. ``name`` identifies it in tests and style sheets."""

    name: str
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DoubtPanel:
    """The content of the panel. The URLs are empty if the user may not decide, or decides on the page of the batch."""

    intro: str
    facts: list[PanelFact]
    batch_link: SafeString | str = ""
    key: str = ""
    queries: str = ""
    query_url: str = ""
    sent_url: str = ""
    again_url: str = ""


def doubt_panel(request: HttpRequest, row: Batch | Message, doubt: Doubt) -> DoubtPanel:
    """Return the panel for this user, with masked phone numbers if the user may not see them."""
    if doubt.row != row:
        return _panel_of_member(request, doubt)
    may_decide = request.user.has_perm(PERMISSION)
    return DoubtPanel(
        intro=_intro(doubt),
        facts=list(_facts(doubt, str if sees_personal_data(request) else mask_phones_in)),
        key=key_of(row),
        queries=str(row.queries),
        query_url=doubt_url(row, "query") if may_decide else "",
        sent_url=doubt_url(row, "sent") if may_decide else "",
        again_url=doubt_url(row, "again") if may_decide else "",
    )


def doubt_url(row: Batch | Message, page: str) -> str:
    """Return the URL of a page of the row: "query", "sent", "again" or "change"."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def key_of(row: Batch | Message) -> str:
    """Return the value that a page posts, so that a decision applies only to the doubt that was shown."""
    return row.doubted_at.isoformat() if row.doubted_at else ""


def _panel_of_member(request: HttpRequest, doubt: Doubt) -> DoubtPanel:
    may_see = request.user.has_perm("django_hyber.view_batch")
    return DoubtPanel(
        intro=_(
            "It is unknown whether the platform has this message: it was sent with others in one request, a batch, and "
            "shares the outcome of its batch."
        ),
        facts=[],
        batch_link=link_to(doubt.row, _("Batch %(number)s") % {"number": doubt.row.pk}) if may_see else "",
    )


def _intro(doubt: Doubt) -> str:
    if find_account(doubt.account) is None:
        return _(
            "It is unknown whether the platform has this. The settings of its account are missing or invalid, so it "
            "cannot be queried: add them again, or a person should decide."
        )
    if doubt.needs_decision:
        return _(
            "For over an hour there has been no proof whether the platform has this. It is still being queried, but a "
            "person should decide."
        )
    return _(
        "It is unknown whether the platform has this. It is being queried, and nothing is sent again without proof."
    )


def _facts(doubt: Doubt, masked: Callable[[str], str]) -> Iterator[PanelFact]:
    row = doubt.row
    if row.doubted_at:
        yield PanelFact("since", _("Outcome unknown since"), short_time(row.doubted_at))
    yield PanelFact("request", _("How the request ended"), masked(_request(doubt)))
    yield PanelFact("queries", _("Queries"), _queries(row))
    if row.answer:
        yield PanelFact("answer", _("Last answer"), masked(_answer(row)))
    not_found = short_time(row.not_found_at) if row.not_found_at else _("none that counts yet")
    yield PanelFact("not-found", _("First “not found”"), not_found)
    people = ngettext("%(count)s recipient", "%(count)s recipients", doubt.people)
    yield PanelFact("people", _("Who may have got it"), people % {"count": grouped(doubt.people)})


def _request(doubt: Doubt) -> str:
    row = doubt.row
    if not row.error_text and row.error_code is None:
        return _("The answer is unknown.")
    return described_code(row.error_code, describe_end(row.error_code, row.error_text, doubt.account))


def _queries(row: Batch | Message) -> str:
    if not row.queries or not row.queried_at:
        return _("none yet")
    text = ngettext("%(count)s, at %(time)s", "%(count)s, the last at %(time)s", row.queries)
    return text % {"count": grouped(row.queries), "time": short_time(row.queried_at)}


def _answer(row: Batch | Message) -> str:
    detail = f"{row.answer_text.removesuffix('.')}. " if row.answer_text else ""
    return f"{detail}{row.get_answer_display()} {NO_PROOF[Answer(row.answer)]}"
