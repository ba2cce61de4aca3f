from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.desk import Desk, back_to_button
from django_hyber.admin.common.filters import ChannelFilter
from django_hyber.admin.common.jobs import private_file
from django_hyber.admin.common.model_admins import ReadOnlyAdmin, link_to, pretty_json
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.admin.common.times import EMPTY, short_time
from django_hyber.models import Reply, Suppression
from django_hyber.replies.attachments import (
    Attachment,
    AttachmentState,
    download_name,
    fetch_again,
    find_attachment,
)
from django_hyber.replies.opt_out_list import opt_out_senders
from django_hyber.replies.reply_intake import mark_replies_read, mark_replies_unread
from django_hyber.words import name_of_channel
from django_hyber.words.reasons import masked_reason


class UnreadFilter(admin.SimpleListFilter):
    """Filters for read or unread replies."""

    title = _("read")
    parameter_name = "read"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        """List both states."""
        return [("no", _("unread")), ("yes", _("read"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reply]) -> QuerySet[Reply]:
        """Narrow the list to one state."""
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(read_at__isnull=self.value() == "no")


class ReplyButton(NamedTuple):
    """A button under a reply, which posts."""

    label: str
    url: str


@admin.register(Reply)
class ReplyAdmin(ReadOnlyAdmin):
    """The replies of recipients. Only the read mark can be changed."""

    list_display = (
        "unread_mark",
        "replied",
        "phone_number",
        "channel_name",
        "preview",
        "campaign_link",
        "is_opted_out",
    )
    list_display_links = ("replied", "preview")
    list_filter = (UnreadFilter, ChannelFilter, "received_at")
    list_select_related = ("message__campaign",)
    search_fields = ("phone_number",)
    phone_search_help_text = _("Enter a full phone number.")
    phone_column = "phone_number"
    time_column = "received_at"
    actions = ("mark_read", "mark_unread", "opt_out")
    fieldsets = (
        (None, {"fields": ("phone_number", "opt_out_note", "text", "attachment", "location")}),
        (_("In reply to"), {"fields": ("message_link", "campaign_link")}),
        (_("When"), {"fields": (("replied_at", "received_at", "read_at"),)}),
        (_("For developers"), {"fields": (("account", "channel"), "as_received")}),
    )
    readonly_fields = ("opt_out_note", "attachment", "message_link", "campaign_link", "as_received")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reply]:
        """Annotate whether the number has opted out, for users who see only masked numbers too."""
        opted_out = Suppression.objects.filter(phone_number=OuterRef("phone_number"))
        replies: QuerySet[Reply] = super().get_queryset(request)
        return replies.annotate(opted_out=Subquery(opted_out.values("pk")))

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """Require the permission to change replies, although only the mark can be changed."""
        return request.user.has_perm("django_hyber.change_reply")

    def has_opt_out_permission(self, request: HttpRequest) -> bool:
        """Require the permission to add opted-out numbers."""
        return request.user.has_perm("django_hyber.add_suppression")

    @admin.display(description=_("unread"), ordering="read_at")
    def unread_mark(self, reply: Reply) -> SafeString | str:
        """A dot, with a word for screen readers."""
        if reply.read_at:
            return ""
        return format_html(
            '<strong aria-hidden="true">●</strong><span class="hyber-hidden">{}</span>', gettext("unread")
        )

    @admin.display(description=_("replied"), ordering="replied_at")
    def replied(self, reply: Reply) -> str:
        """The time of the reply."""
        return short_time(reply.replied_at or reply.received_at)

    @admin.display(description=_("channel"), ordering="channel")
    def channel_name(self, reply: Reply) -> str:
        """The messenger it was written in."""
        return name_of_channel(reply.channel) or EMPTY

    @admin.display(description=_("reply"))
    def preview(self, reply: Reply) -> SafeString | str:
        """The beginning of the text, bold until it is read."""
        text = str(reply) or EMPTY
        return text if reply.read_at else format_html("<strong>{}</strong>", text)

    @admin.display(description=_("message"))
    def message_link(self, reply: Reply) -> SafeString | str:
        """The message that was answered."""
        return link_to(reply.message) or EMPTY

    @admin.display(description=_("campaign"))
    def campaign_link(self, reply: Reply) -> SafeString | str:
        """The campaign of that message."""
        return (link_to(reply.message.campaign) if reply.message else "") or EMPTY

    @admin.display(description=_("opted out"))
    def is_opted_out(self, reply: Reply) -> str:
        """Whether the number has opted out."""
        return gettext("opted out") if reply.opted_out else ""  # type: ignore[attr-defined]  # set by get_queryset

    @admin.display(description=_("opted out"))
    def opt_out_note(self, reply: Reply) -> str:
        """Since when the number has been opted out, and why."""
        number = Suppression.objects.filter(pk=reply.opted_out).first()  # type: ignore[attr-defined]  # as above
        if number is None:
            return gettext("no")
        reason = masked_reason(number.reason)
        since = gettext("since %(time)s") % {"time": short_time(number.created_at)}
        return f"{since} ({reason})" if reason else since

    @admin.display(description=_("attachment"))
    def attachment(self, reply: Reply) -> SafeString | str:
        """A link to our copy, or to the platform's while it exists."""
        found = find_attachment(reply)
        if found is None:
            return EMPTY
        is_kept = found.state is AttachmentState.KEPT
        return described_attachment(found, _url("attachment", reply.pk) if is_kept else found.url)

    @admin.display(description=_("as received"))
    def as_received(self, reply: Reply) -> str:
        """The reply itself."""
        return pretty_json(reply.raw)

    @admin.action(description=_("Mark as read"), permissions=["mark"])
    def mark_read(self, request: HttpRequest, queryset: QuerySet[Reply]) -> None:
        """Mark the chosen replies as read."""
        chosen = list(queryset[:2])
        count = mark_replies_read(queryset)
        text = ngettext("%(count)d reply was marked as read.", "%(count)d replies were marked as read.", count)
        self._report(request, chosen, count, text)

    @admin.action(description=_("Mark as unread"), permissions=["mark"])
    def mark_unread(self, request: HttpRequest, queryset: QuerySet[Reply]) -> None:
        """Mark the chosen replies as unread."""
        chosen = list(queryset[:2])
        count = mark_replies_unread(queryset)
        text = ngettext("%(count)d reply was marked as unread.", "%(count)d replies were marked as unread.", count)
        self._report(request, chosen, count, text)

    @admin.action(description=_("Add to the opted-out numbers"), permissions=["opt_out"])
    def opt_out(self, request: HttpRequest, queryset: QuerySet[Reply]) -> None:
        """Add the senders of the chosen replies to the opt-out list."""
        chosen = list(queryset[:2])
        count = opt_out_senders(queryset, by=request.user.get_username())
        text = ngettext("%(count)d number was added.", "%(count)d numbers were added.", count)
        self._report(request, chosen, count, text)

    def _report(self, request: HttpRequest, chosen: list[Reply], count: int, text: str) -> None:
        """Report the result, and log it if anything has changed."""
        if count:
            self.log_chosen(request, chosen, text % {"count": count})
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def fetch(self, request: HttpRequest, queryset: QuerySet[Reply]) -> None:
        """Try again to fetch an attachment."""
        for reply in queryset:
            fetch_again(reply)
            self.log_change(request, reply, _("Requested the attachment again."))
        self.message_user(request, _("The attachment is being fetched."), messages.SUCCESS)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add the buttons. Opening the page does not mark the reply as read."""
        context["buttons"] = list(self._buttons(request, kwargs["obj"]))
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, reply: Reply) -> Iterable[ReplyButton]:
        if self.has_mark_permission(request):
            if reply.read_at:
                yield ReplyButton(gettext("Mark as unread"), _url("unread", reply.pk))
            else:
                yield ReplyButton(gettext("Mark as read"), _url("read", reply.pk))
            found = find_attachment(reply)
            if found and found.is_missing and found.state is AttachmentState.AT_THE_PLATFORM:
                yield ReplyButton(gettext("Fetch the attachment"), _url("fetch", reply.pk))
        if self.has_opt_out_permission(request) and not reply.opted_out:  # type: ignore[attr-defined]  # as above
            yield ReplyButton(gettext("Add to the opted-out numbers"), _url("opt_out", reply.pk))

    def get_urls(self) -> list[Any]:
        """Add the URLs of the buttons."""
        views = {
            "read": self._posted(self.mark_read, self.has_mark_permission),
            "unread": self._posted(self.mark_unread, self.has_mark_permission),
            "fetch": self._posted(self.fetch, self.has_mark_permission),
            "opt_out": self._posted(self.opt_out, self.has_opt_out_permission),
        }
        pages = [
            path(f"<int:reply_id>/{name}/", self.admin_site.admin_view(view), name=f"django_hyber_reply_{name}")
            for name, view in views.items()
        ]
        address = "<int:reply_id>/attachment/"
        view = self.admin_site.admin_view(self.attachment_view)
        return [*pages, path(address, view, name="django_hyber_reply_attachment"), *super().get_urls()]

    def attachment_view(self, request: HttpRequest, reply_id: int) -> HttpResponseBase:
        """Return our copy of an attachment, for those who may see what people write."""
        if not self.has_view_permission(request) or not sees_personal_data(request):
            raise PermissionDenied
        reply = get_object_or_404(self.get_queryset(request), pk=reply_id)
        return private_file(reply.media_file, download_name(reply.file_name, reply.media_url))

    def _posted(
        self, act: Callable[[HttpRequest, QuerySet[Reply]], None], is_allowed: Callable[[HttpRequest], bool]
    ) -> Callable[..., HttpResponseBase]:
        """Return a view that runs an action on one reply."""

        def view(request: HttpRequest, reply_id: int) -> HttpResponse:
            if not (is_allowed(request) and self.has_view_permission(request)):
                raise PermissionDenied
            chosen = self.get_queryset(request).filter(pk=reply_id)
            if not chosen.exists():
                raise Http404
            if request.method != "POST":
                return back_to_button(Desk(self, request, None), _url("change", reply_id))
            act(request, chosen)
            return HttpResponseRedirect(_url("change", reply_id))

        return view


def described_attachment(found: Attachment, url: str) -> SafeString | str:
    """Return where an attachment is available, and until when."""
    link = found.name
    if url:
        link = format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, found.name)
    note = (
        gettext("No copy was stored. If the download failed, the log contains the reason.") if found.is_missing else ""
    )
    return format_html("{} ({}) {}", link, _availability(found), note)


def _availability(found: Attachment) -> str:
    if found.state is AttachmentState.KEPT:
        return gettext("stored here")
    if found.state is AttachmentState.BEING_FETCHED:
        return gettext("being fetched")
    if found.state is AttachmentState.AT_THE_PLATFORM:
        return gettext("available until %(time)s") % {"time": short_time(found.available_until)}
    return gettext("the platform no longer keeps it")


def _url(name: str, reply_pk: int) -> str:
    return reverse(f"admin:django_hyber_reply_{name}", args=[reply_pk])
