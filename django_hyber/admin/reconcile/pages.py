"""The pages on which a user decides about an unknown outcome: query now, mark as sent, send again.

Each decision is logged. Submitting a page twice has no further effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.desk import Desk, back_to_button
from django_hyber.admin.common.model_admins import ReadOnlyAdmin
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.reconcile.panel import PERMISSION, doubt_panel, doubt_url, key_of
from django_hyber.models import Batch, Campaign, Message
from django_hyber.sending.pace.deadline import is_too_late
from django_hyber.services import Doubt, DoubtError, find_doubt, mark_as_sent, query_now, send_again

Row = Batch | Message
View = Callable[[Desk, Row], HttpResponseBase]


class Question(NamedTuple):
    """What the user is asked to confirm before a decision."""

    title: str
    sentences: list[str]
    button: str


class DoubtAdmin(ReadOnlyAdmin):
    """Shows the evidence about an unknown outcome on the change page, and adds the pages of the decision."""

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add the panel of a row with an unknown outcome."""
        row: Row | None = kwargs.get("obj")
        doubt = find_doubt(row) if row else None
        if row and doubt:
            context["doubt"] = doubt_panel(request, row, doubt)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        """Add the pages of the decision."""
        views = {"query": query_view, "sent": sent_view, "again": again_view}
        return [*(self._page(name, view) for name, view in views.items()), *super().get_urls()]

    def _page(self, name: str, view: View) -> Any:
        """Allow users who may see the row and decide about unknown outcomes."""

        def of_row(request: HttpRequest, row_id: int) -> HttpResponseBase:
            row = self.get_object(request, str(row_id))
            if row is None:
                raise Http404
            if not self.has_view_permission(request, row) or not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            return view(Desk(self, request, None), row)

        address = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(f"<int:row_id>/{name}/", self.admin_site.admin_view(of_row), name=address)


def query_view(desk: Desk, row: Row) -> HttpResponseBase:
    """Query the platform now. A second click sends no second query."""
    if not desk.is_post:
        return back_to_button(desk, doubt_url(row, "change"))
    if not _is_as_seen(desk, row):
        return _refuse(desk, row, DoubtError())
    try:
        is_queried = desk.request.POST.get("queries") == str(row.queries) and query_now(row, by=_name(desk))
    except DoubtError as error:
        return _refuse(desk, row, error)
    if not is_queried:
        desk.message_user(_("The platform has been queried since then."))
        return _back(row)
    return _done(desk, row, _("The platform is being queried about it now."))


def sent_view(desk: Desk, row: Row) -> HttpResponseBase:
    """Ask for confirmation, then mark the row as sent."""
    return _ask_or_decide(desk, row, _sent_question, _mark_as_sent)


def again_view(desk: Desk, row: Row) -> HttpResponseBase:
    """Ask for confirmation, then send the row again."""
    doubt = find_doubt(row)
    if doubt and doubt.sending_problem:
        return _refuse(desk, row, DoubtError(doubt.sending_problem))
    return _ask_or_decide(desk, row, _again_question, _send_again)


def _ask_or_decide(
    desk: Desk, row: Row, question: Callable[[Doubt], Question], decision: Callable[[Desk, Row], str]
) -> HttpResponseBase:
    if desk.is_post:
        return _decide(desk, row, decision)
    # A message of an unconfirmed batch has no doubt of its own: the batch has it.
    doubt = find_doubt(row)
    if doubt is None or doubt.row != row:
        return _refuse(desk, row, DoubtError())
    asked = question(doubt)
    return desk.render(
        "doubt/confirm",
        asked.title,
        row=row,
        row_url=doubt_url(row, "change"),
        key=key_of(row),
        sentences=[*asked.sentences, _advice()],
        button=asked.button,
    )


def _sent_question(doubt: Doubt) -> Question:
    accepted = ngettext(
        "%(count)s message counts as accepted by the platform from now on, and is not sent again.",
        "%(count)s messages count as accepted by the platform from now on, and are not sent again.",
        doubt.people,
    )
    risk = ngettext(
        "If the platform does not have it, %(count)s person gets nothing.",
        "If the platform does not have them, %(count)s people get nothing.",
        doubt.people,
    )
    sentences = [text % {"count": grouped(doubt.people)} for text in (accepted, risk)]
    return Question(_("It was sent"), sentences, _("It was sent"))


def _again_question(doubt: Doubt) -> Question:
    obstacle = _obstacle(doubt.row, doubt.people, fails_again=doubt.fails_again)
    if obstacle:
        return Question(_("Send again"), [obstacle], _("It was not sent"))
    again = ngettext(
        "%(count)s message is sent again, with the same id.",
        "%(count)s messages are sent again, with the same ids.",
        doubt.people,
    )
    risk = ngettext(
        "If the platform has it, %(count)s person may get it twice.",
        "If the platform has them, %(count)s people may get the message twice.",
        doubt.people,
    )
    sentences = [text % {"count": grouped(doubt.people)} for text in (again, risk)]
    button = ngettext("Send again to %(count)s person", "Send again to %(count)s people", doubt.people)
    sentences += _later(doubt.row.campaign)
    return Question(_("Send again"), sentences, button % {"count": grouped(doubt.people)})


def _mark_as_sent(desk: Desk, row: Row) -> str:
    count = mark_as_sent(row, by=_name(desk))
    text = ngettext(
        "Decided that it was sent: %(count)s message counts as accepted.",
        "Decided that it was sent: %(count)s messages count as accepted.",
        count,
    )
    return text % {"count": grouped(count)}


def _send_again(desk: Desk, row: Row) -> str:
    doubt = find_doubt(row)
    fails_again = doubt is not None and doubt.fails_again
    count = send_again(row, by=_name(desk))
    obstacle = _obstacle(row, count, fails_again=fails_again)
    if obstacle:
        return " ".join([_("Decided that it was not sent."), obstacle])
    text = ngettext(
        "Decided that it was not sent: %(count)s message is sent again.",
        "Decided that it was not sent: %(count)s messages are sent again.",
        count,
    )
    return " ".join([text % {"count": grouped(count)}, *_later(row.campaign)])


def _decide(desk: Desk, row: Row, decision: Callable[[Desk, Row], str]) -> HttpResponseBase:
    if not _is_as_seen(desk, row):
        return _refuse(desk, row, DoubtError())
    try:
        text = decision(desk, row)
    except DoubtError as error:
        return _refuse(desk, row, error)
    return _done(desk, row, text)


def _is_as_seen(desk: Desk, row: Row) -> bool:
    """Whether the row is still in the doubt that was shown to the user."""
    return desk.request.POST.get("doubt") == key_of(row)


def _done(desk: Desk, row: Row, text: str) -> HttpResponseRedirect:
    desk.admin.log_change(desk.request, row, text)
    desk.message_user(text, messages.SUCCESS)
    return _back(row)


def _refuse(desk: Desk, row: Row, error: DoubtError) -> HttpResponseRedirect:
    desk.message_user(" ".join(error.messages), messages.WARNING)
    return _back(row)


def _advice() -> str:
    return _(
        "There is no certain answer here. Ask the platform's support, or a recipient who should have received the "
        "message."
    )


def _obstacle(row: Row, count: int, *, fails_again: bool) -> str:
    """Return why nothing is sent although it was not sent before, and what happens to the messages instead, or ""."""
    if fails_again:
        text = ngettext(
            "It had failed before, so nothing is sent: %(count)s message fails again.",
            "They had failed before, so nothing is sent: %(count)s messages fail again.",
            count,
        )
    elif row.campaign and row.campaign.status == Campaign.Status.CANCELLED:
        text = ngettext(
            "The campaign is cancelled, so nothing is sent: %(count)s message is cancelled as well.",
            "The campaign is cancelled, so nothing is sent: %(count)s messages are cancelled as well.",
            count,
        )
    elif is_too_late(row):
        text = _("The TTL of the message has ended, so nothing is sent and the message expires.")
    else:
        return ""
    return text % {"count": grouped(count)}


def _later(campaign: Campaign | None) -> list[str]:
    if campaign and campaign.status == Campaign.Status.PAUSED:
        return [_("The campaign is paused: nothing is sent until it is resumed.")]
    return []


def _name(desk: Desk) -> str:
    return desk.request.user.get_username()


def _back(row: Row) -> HttpResponseRedirect:
    return HttpResponseRedirect(doubt_url(row, "change"))
