from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from rest_framework import serializers

from django_hyber.conf import DEFAULT_ACCOUNT, account_names
from django_hyber.models import Campaign, Message, Template
from django_hyber.privacy import mask, mask_phones_in
from django_hyber.protocol import CHANNELS, Channel, InvalidMessage, InvalidPhone, field_rules
from django_hyber.services import send_message, send_template
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


def exact_text(max_length: int, **options: Any) -> serializers.CharField:
    """Return a field in which every character counts, as in code: no blanks are removed."""
    return serializers.CharField(max_length=max_length, required=False, trim_whitespace=False, **options)


class NewMessageSerializer(serializers.Serializer[Message]):
    """A message to send: its channels, or a template. Its ``extra_id`` makes the request safe to repeat."""

    phone_number = serializers.CharField(max_length=40)
    channels = ChannelSerializer(many=True, allow_empty=False, required=False)
    template = exact_text(64, help_text="The code of a template, instead of channels.")
    variables = serializers.DictField(required=False, help_text="The values of the template.")
    language = exact_text(16, help_text="The language of the template, as in uk.")
    extra_id = exact_text(64)
    tag = exact_text(64, default="")
    division_code = exact_text(100, default="")
    start_time = serializers.DateTimeField(required=False, allow_null=True, default=None)
    account = serializers.CharField(max_length=64, required=False, default=DEFAULT_ACCOUNT)

    def to_internal_value(self, data: Any) -> Any:
        """Return the values. Refuse fields that a message does not have."""
        found = super().to_internal_value(data)
        refuse_unknown(data.keys() - self.fields.keys(), "A message has no such field.")
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a message without content, and one with fields of both kinds."""
        if "template" not in attrs:
            refuse_unknown({"variables", "language"} & attrs.keys(), "This is for a template.")
            refuse_unknown({"channels"} - attrs.keys(), "Give channels or a template.")
        refuse_unknown({"channels"} & attrs.keys() if "template" in attrs else (), "The channels are the template's.")
        return attrs

    def validate_variables(self, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse values that people could not read in a text."""
        lists = [name for name, value in values.items() if isinstance(value, (list, dict))]
        refuse_unknown(lists, "A value must be a text or a number.")
        return values

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
        code = validated_data.pop("template", None)
        try:
            return send_message(**validated_data) if code is None else send_template(code, **validated_data)
        except Template.DoesNotExist:
            raise serializers.ValidationError({"template": ["There is no such template."]}) from None
        except InvalidPhone as error:
            raise serializers.ValidationError({"phone_number": [error.reason]}) from error
        except InvalidMessage as error:
            texts = self._by_field(error, "channels" if code is None else "template")
            raise serializers.ValidationError(texts) from error

    def _by_field(self, error: InvalidMessage, content: str) -> dict[str, list[str]]:
        """Return the texts of the problems by the field that they are about; ``content`` has those of the channels."""
        found: dict[str, list[str]] = {}
        for problem in error.problems:
            field = "variables" if problem.code == "missing-variable" else problem.field
            is_own = not problem.channel and field in self.fields
            text = problem_text(problem) if is_own else f"{place_of(problem)}: {problem_text(problem)}"
            found.setdefault(field if is_own else content, []).append(text.removeprefix(": "))
        return found

    def to_representation(self, instance: Message) -> dict[str, Any]:
        """Return the message as GET returns it."""
        return dict(MessageSerializer(instance, context=self.context).data)


class MessageSerializer(serializers.ModelSerializer[Message]):
    """The state of a message, masked for users who may not see personal data."""

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
