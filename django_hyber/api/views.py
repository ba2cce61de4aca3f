"""The views. Authentication and throttle rates are those of the project; permissions are Django's, by action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from django_hyber.api.parsers import JSONParser
from django_hyber.api.serializers import (
    CampaignSerializer,
    MessageSerializer,
    NewMessageSerializer,
    StatisticsSerializer,
)
from django_hyber.models import Campaign, Message
from django_hyber.services import (
    CampaignError,
    ExtraIdError,
    campaign_statistics,
    cancel_campaign,
    cancel_message,
    pause_campaign,
    resume_campaign,
    start_campaign,
)


class StateConflict(APIException):
    """The state of the object does not allow this."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class MayDoThis(BasePermission):
    """Requires the permission that the view names for its action."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Check the permission of the action, or of none for OPTIONS."""
        names: Mapping[str, str] = view.permissions_by_action  # type: ignore[attr-defined]
        name = names.get(getattr(view, "action", None) or "")
        is_known = bool(request.user and request.user.is_authenticated)
        return is_known and (name is None or request.user.has_perm(f"django_hyber.{name}"))


class Throttle(ScopedRateThrottle):
    """The rate of the scope "hyber" in DEFAULT_THROTTLE_RATES, or none."""

    def get_rate(self) -> str | None:
        """Return the rate of the project."""
        rates: Mapping[str, str | None] = self.THROTTLE_RATES
        return rates.get(self.scope or "")


class NewestFirst(BaseFilterBackend):
    """Gives the project's CursorPagination an order: its default is a field that campaigns do not have."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Return the rows as they are."""
        return queryset

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """Return the order, which CursorPagination looks for in filters."""
        return ("-pk",)


def refuse_fields(request: Request) -> None:
    """Refuse a body for what takes none: a start time in it, say, would be ignored."""
    if request.data:
        raise ValidationError("This request has no fields.")


class MessageViewSet(mixins.CreateModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]):
    """Send a message, read its status, cancel it."""

    queryset = Message.objects.all()
    lookup_field = "extra_id"
    # With dots, unlike the default. PostgreSQL could not search for NUL.
    lookup_value_regex = "[^/\0]+"
    parser_classes = (JSONParser,)
    permission_classes = (MayDoThis,)
    throttle_classes = (Throttle,)
    throttle_scope = "hyber"
    permissions_by_action: ClassVar[Mapping[str, str]] = {
        "create": "add_message",
        "retrieve": "view_message",
        "cancel": "add_message",
    }

    def get_serializer_class(self) -> Any:
        """Return the serializer of the action."""
        return NewMessageSerializer if self.action == "create" else MessageSerializer

    @extend_schema(request=NewMessageSerializer, responses={201: MessageSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send a message or a template. A repeated request with the same ``extra_id`` returns the first message."""
        try:
            return super().create(request, *args, **kwargs)
        except (ExtraIdError, ImproperlyConfigured) as error:
            raise StateConflict(str(error)) from error

    @extend_schema(request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, extra_id: str) -> Response:
        """Cancel a message that has not been handed over to the platform."""
        refuse_fields(request)
        message = self.get_object()
        if message.campaign_id:
            raise StateConflict("The message belongs to a campaign. Cancel the campaign to stop it.")
        if not cancel_message(message):
            raise StateConflict("The message has been handed over to the platform, or has ended.")
        message.refresh_from_db()
        return Response(self.get_serializer(message).data)


class CampaignViewSet(viewsets.ReadOnlyModelViewSet[Campaign]):
    """Read campaigns and their statistics; start, pause, resume and cancel them."""

    queryset = Campaign.objects.order_by("-pk")
    filter_backends = (NewestFirst, *api_settings.DEFAULT_FILTER_BACKENDS)  # type: ignore[arg-type]  # read as classes
    serializer_class = CampaignSerializer
    parser_classes = (JSONParser,)
    permission_classes = (MayDoThis,)
    throttle_classes = (Throttle,)
    throttle_scope = "hyber"
    permissions_by_action: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("list", "retrieve", "statistics"), "view_campaign"),
        **dict.fromkeys(("start", "pause", "resume", "cancel"), "send_campaign"),
    }

    @extend_schema(responses=StatisticsSerializer)
    @action(detail=True)
    def statistics(self, request: Request, pk: str) -> Response:
        """Return the results, counted from the messages."""
        return Response(StatisticsSerializer(campaign_statistics(self.get_object())).data)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Check the texts of all recipients, and launch the campaign. With FOUR_EYES, no contributor may."""
        # Nobody gets here without a login.
        user = cast("AbstractBaseUser", request.user)
        return self._perform(request, partial(start_campaign, user=user))

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop sending until the campaign is resumed."""
        return self._perform(request, pause_campaign)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on with a paused campaign."""
        return self._perform(request, resume_campaign)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop sending for good."""
        return self._perform(request, cancel_campaign)

    def _perform(self, request: Request, verb: Callable[[Campaign], Campaign]) -> Response:
        refuse_fields(request)
        try:
            campaign = verb(self.get_object())
        except CampaignError as error:
            raise StateConflict(" ".join(error.messages)) from error
        return Response(self.get_serializer(campaign).data)
