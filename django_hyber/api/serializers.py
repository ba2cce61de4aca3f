from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from django_hyber.conf import DEFAULT_ACCOUNT, account_names
from django_hyber.models import Campaign, Message
from django_hyber.privacy import mask_phone
from django_hyber.protocol import CHANNELS, Channel, InvalidMessage, InvalidPhone, field_rules
from django_hyber.services import send_message
from django_hyber.words import place_of, problem_text

PERSONAL_DATA = "django_hyber.view_personal_data"


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
        unknown = content.keys() - {rule.name for rule in field_rules(channel)}
        if unknown:
            raise serializers.ValidationError({name: ["This channel has no such field."] for name in sorted(unknown)})
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
    """What became of a message. The number is masked for users who may not see personal data."""

    phone_number = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            *("extra_id", "message_id", "account", "phone_number", "status", "channel", "hyber_status"),
            *("error_code", "error_text", "total_sms_parts", "delivered_sms_parts", "clicks"),
            *("created_at", "accepted_at", "reported_at", "finished_at"),
        )

    def get_phone_number(self, message: Message) -> str:
        """Return the number, or "" after it was purged."""
        request: Request = self.context["request"]
        number = message.phone_number or ""
        return number if request.user.has_perm(PERSONAL_DATA) else mask_phone(number)


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign without its texts and recipients."""

    class Meta:
        model = Campaign
        fields = (
            *("id", "name", "tag", "account", "status", "status_reason"),
            *("start_time", "created_at", "launched_at", "finished_at"),
        )


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
