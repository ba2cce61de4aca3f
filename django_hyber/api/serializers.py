from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from rest_framework import serializers

from django_hyber.conf import DEFAULT_ACCOUNT, account_names
from django_hyber.models import Campaign, Message
from django_hyber.privacy import mask, mask_phones_in
from django_hyber.protocol import CHANNELS, Channel, InvalidMessage, InvalidPhone, field_rules
from django_hyber.services import send_message
from django_hyber.words import place_of, problem_text


def sees_personal_data(context: Mapping[str, Any]) -> bool:
    """Return whether the user of the request may see phone numbers and texts in full."""
    may_see: bool = context["request"].user.has_perm("django_hyber.view_personal_data")
    return may_see


def refuse_unknown(names: Iterable[str], text: str) -> None:
    """Refuse fields that would be ignored otherwise: one may be a misspelt start time."""
    unknown = sorted(names)
    if unknown:
        raise serializers.ValidationError({name: [text] for name in unknown})


class ChannelSerializer(serializers.Serializer[Any]):
    """One channel of a message. Its other fields are those of the platform's guide, as in ``text`` and ``ttl``.

    ``extra`` is for fields that this package does not know.
    """

    channel = serializers.ChoiceField(choices=[*CHANNELS])
    extra = serializers.DictField(required=False, default=dict)

    def to_internal_value(self, data: Any) -> Channel:
        """Return the channel with all its fields."""
        found = super().to_internal_value(data)
        content = {key: value for key, value in data.items() if key not in self.fields}
        channel = CHANNELS[found["channel"]]
        refuse_unknown(content.keys() - {rule.name for rule in field_rules(channel)}, "This channel has no such field.")
        return channel(**content, extra=found["extra"])


class NewMessageSerializer(serializers.Serializer[Message]):
    """A message to send. Its ``extra_id`` makes the request safe to repeat."""

    phone_number = serializers.CharField(max_length=40)
    channels = ChannelSerializer(many=True, allow_empty=False)
    extra_id = serializers.CharField(max_length=64, required=False)
    tag = serializers.CharField(max_length=64, required=False, default="")
    division_code = serializers.CharField(max_length=100, required=False, default="")
    start_time = serializers.DateTimeField(required=False, allow_null=True, default=None)
    account = serializers.CharField(max_length=64, required=False, default=DEFAULT_ACCOUNT)

    def to_internal_value(self, data: Any) -> Any:
        """Return the values. Refuse fields that a message does not have."""
        found = super().to_internal_value(data)
        refuse_unknown(data.keys() - self.fields.keys(), "A message has no such field.")
        return found

    def validate_extra_id(self, extra_id: str) -> str:
        """Refuse an id under which the message could not be found again: it is part of an address."""
        if "/" in extra_id or extra_id in {".", ".."}:
            raise serializers.ValidationError(["An id must not contain a slash, nor be one or two dots."])
        return extra_id

    def validate_account(self, name: str) -> str:
        """Refuse an account that the settings do not have."""
        if name not in account_names():
            raise serializers.ValidationError(["There is no such account."])
        return name

    def create(self, validated_data: dict[str, Any]) -> Message:
        """Send the message. Raises ExtraIdError if its ``extra_id`` belongs to a different one."""
        try:
            return send_message(**validated_data)
        except InvalidPhone as error:
            raise serializers.ValidationError({"phone_number": [error.reason]}) from error
        except InvalidMessage as error:
            texts = [f"{place_of(problem)}: {problem_text(problem)}".removeprefix(": ") for problem in error.problems]
            raise serializers.ValidationError({"channels": texts}) from error

    def to_representation(self, instance: Message) -> dict[str, Any]:
        """Return the message as GET returns it."""
        return dict(MessageSerializer(instance, context=self.context).data)


class MessageSerializer(serializers.ModelSerializer[Message]):
    """What became of a message. It is masked for users who may not see personal data."""

    phone_number = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            *("extra_id", "message_id", "account", "phone_number", "status", "channel", "hyber_status"),
            *("error_code", "error_text", "total_sms_parts", "delivered_sms_parts", "clicks"),
            *("created_at", "accepted_at", "reported_at", "finished_at"),
        )

    def to_representation(self, instance: Message) -> dict[str, Any]:
        """Return the message as the user may see it."""
        return super().to_representation(instance if sees_personal_data(self.context) else mask(copy(instance)))

    def get_phone_number(self, message: Message) -> str:
        """Return the number, or "" after it was purged."""
        return message.phone_number or ""


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign without its texts and recipients."""

    status_reason = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = (
            *("id", "name", "tag", "account", "status", "status_reason"),
            *("start_time", "created_at", "launched_at", "finished_at"),
        )

    def get_status_reason(self, campaign: Campaign) -> str:
        """Return the reason of a pause; it can quote the platform, and the platform a number."""
        reason = campaign.status_reason
        return reason if sees_personal_data(self.context) else mask_phones_in(reason)


class ChannelStatisticsSerializer(serializers.Serializer[Any]):
    """The results of one channel."""

    channel = serializers.CharField()
    delivered = serializers.IntegerField()
    seen = serializers.IntegerField()
    clicked = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True)


class StatisticsSerializer(serializers.Serializer[Any]):
    """The results of a campaign. ``statuses`` has the number of messages by status."""

    total = serializers.IntegerField()
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    seen = serializers.IntegerField()
    clicked = serializers.IntegerField()
    failed = serializers.IntegerField()
    statuses = serializers.DictField(child=serializers.IntegerField())
    channels = ChannelStatisticsSerializer(many=True)
    cost = serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True)
