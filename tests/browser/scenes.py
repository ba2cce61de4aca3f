"""A shop in the middle of its work, as the pages of the admin show it: for pictures, and to look at every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.files.base import ContentFile
from django.db.models import F
from django.utils import timezone

from django_hyber.audience.uploads import confirm_upload, keep_upload
from django_hyber.models import (
    BackgroundJob,
    Batch,
    Campaign,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    Suppression,
    Template,
    TemplateVariant,
    TestNumber,
    UnreadableCallback,
)
from django_hyber.policies.allowed_numbers import OPTED_OUT
from django_hyber.protocol import SMS, Viber
from django_hyber.services import apply_delivery_reports, import_recipients
from tests.samples import report

Status = Message.Status
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Words:
    """What the people of the shop write, in their own language."""

    draft: str
    sending: str
    finished: str
    viber: str
    sms: str
    button: str
    names: tuple[str, ...]
    reply: str
    reason: str


WORDS = {
    "en": Words(
        draft="Black Friday for members",
        sending="Autumn collection",
        finished="Back to school",
        viber="Hi %name%! *Minus 20 %* on everything until Sunday. Your code: *%code%*",
        sms="%name%, -20% until Sunday with code %code%: https://shop.example/s",
        button="Choose a gift",
        names=("Olena", "Andrii", "Maria", "Taras", "Sofia"),
        reply="Thank you! Is the green one still there?",
        reason="Asked for it by phone",
    ),
    "uk": Words(
        draft="Чорна п’ятниця для своїх",
        sending="Осіння колекція",
        finished="Знову до школи",
        viber="Вітаємо, %name%! *Мінус 20 %* на все до неділі. Ваш код: *%code%*",
        sms="%name%, -20% до неділі за кодом %code%: https://shop.example/s",
        button="Обрати подарунок",
        names=("Олена", "Андрій", "Марія", "Тарас", "Софія"),
        reply="Дякую! А зелена ще є?",
        reason="Попросили телефоном",
    ),
}
#: Of a hundred recipients: what became of them, by which channel, and why not.
ENDS = (
    (46, Status.SEEN, "viber", None, ""),
    (19, Status.DELIVERED, "viber", None, ""),
    (22, Status.DELIVERED, "sms", None, ""),
    (7, Status.EXPIRED, "", 35015, ""),
    (4, Status.REJECTED, "", 36024, ""),
    (2, Status.SUPPRESSED, "", None, OPTED_OUT),
)
#: What had failed before that.
FAILED = {
    (Status.DELIVERED, "sms"): "viber:expired",
    (Status.EXPIRED, ""): "sms:expired,viber:expired",
}
#: A file of people, with all that is the matter with files: a number twice, two that are none, a long word, long names.
LINES = (
    "Телефон;name;місто;код знижки",
    "067 111 22 33;Олена;Львів;SPRING-2024-LONG-CODE-THAT-DOES-NOT-BREAK-ANYWHERE",
    "+380671112244;Іван;Київ;A1",
    "0671112233;Олена ще раз;Львів;A2",
    "3.80671E+11;Тарас;Одеса;A3",
    "12345;Ольга;Харків;A4",
    "0671112255;Марія Олександрівна Квітка-Основ'яненко;Кам'янець-Подільський;A5",
)
FINISHED, SENDING, SENT = 2_480, 12_000, 7_000


@dataclass
class Shop:
    """The campaigns and rows that have a page of their own."""

    draft: Campaign
    sending: Campaign
    finished: Campaign
    message: Message
    single: Message
    report: DeliveryReport
    reply: Reply
    suppression: Suppression
    former: FormerOptOut
    callback: UnreadableCallback
    batch: Batch
    template: Template
    variant: TemplateVariant
    test_number: TestNumber


def open_shop(language, user, *, size=1):
    """Fill the database: a draft, a campaign on its way, a finished one, and what people answered.

    A ``size`` below 1 is that of a smaller shop.
    """
    words, now = WORDS[language], timezone.now().replace(microsecond=0)
    draft = _campaign(words, words.draft, user)
    people = [
        {"phone": f"38067{number:07}", "name": words.names[number % 5], "code": f"A{number:03}"} for number in range(40)
    ]
    import_recipients(draft, people)
    finished = _finished(words, user, now, round(FINISHED * size))
    sending = _sending(words, user, now, round(SENDING * size))
    message = _with_history(finished, now)
    single = Message.objects.create(
        phone_number="380661234567",
        extra_id="order-1001",
        status=Status.UNCONFIRMED,
        content={"channels": ["sms"], "channel_options": {"sms": {"text": "1234", "alpha_name": "Shop", "ttl": 300}}},
    )
    apply_delivery_reports([report(message_id="not-ours", number=380661112233)])
    reply, suppression, former = _people(words, message, now)
    template = Template.objects.create(code="order-shipped", name=words.draft, language=language)
    variant = template.set_channels([SMS(text=words.sms, alpha_name="Shop", ttl=300)])
    return Shop(
        draft=draft,
        sending=sending,
        finished=finished,
        message=message,
        single=single,
        report=message.delivery_reports.first(),
        reply=reply,
        suppression=suppression,
        former=former,
        callback=UnreadableCallback.objects.create(
            kind="reports", account="default", body="<html>", reason="Not JSON: Expecting value at character 1."
        ),
        batch=sending.batches.first(),
        template=template,
        variant=variant,
        test_number=TestNumber.objects.create(phone_number="380671230001", name=words.names[0]),
    )


def _campaign(words, name, user, status=Campaign.Status.DRAFT, **values):
    campaign = Campaign.objects.create(name=name, author=user)
    campaign.set_channels(
        [
            Viber(text=words.viber, caption=words.button, action="https://shop.example/spring", ttl=3_600, ctr=True),
            SMS(text=words.sms, alpha_name="Shop", ttl=86_400),
        ]
    )
    Campaign.objects.filter(pk=campaign.pk).update(status=status, **values)
    campaign.refresh_from_db()
    return campaign


def _finished(words, user, now, people):
    begun = now - 70 * MINUTE
    campaign = _campaign(
        words, words.finished, user, status="finished", run=1, launched_at=begun, finished_at=begun + 3 * MINUTE
    )
    rows = []
    for number in range(people):
        end = _end_of(number)
        # Most within a few minutes, the last when Viber's hour is over.
        ended = begun + timedelta(seconds=30 + (number % 89) ** 2 // 4 + 13 * (number % 97))
        rows.append(_recipient(campaign, words, number, end, begun, ended))
    Message.objects.bulk_create(rows, batch_size=2_000)
    _batches(campaign, begun, done=1)
    return campaign


def _sending(words, user, now, people):
    begun = now - 4 * MINUTE
    campaign = _campaign(words, words.sending, user, status="sending", run=1, launched_at=begun, throttle=1_800)
    rows = []
    for number in range(people):
        end, ended = (Status.QUEUED, "", None, ""), None
        if number < people * SENT // SENDING:
            end = _end_of(number) if number % 4 else (Status.ACCEPTED, "", None, "")
            ended = begun + timedelta(seconds=20 + number // 32)
        rows.append(_recipient(campaign, words, number, end, begun, ended))
    Message.objects.bulk_create(rows, batch_size=2_000)
    _batches(campaign, begun, done=7, wire=1, pending=4)
    return campaign


def _end_of(number):
    place = number * 37 % 100
    for share, *end in ENDS:
        if place < share:
            return end
        place -= share
    raise AssertionError("the shares add up to a hundred")


def _recipient(campaign, words, number, end, begun, ended):
    status, channel, code, text = end
    is_over = status not in (Status.QUEUED, Status.ACCEPTED)
    return Message(
        campaign=campaign,
        phone_number=f"38067{number:07}",
        extra_id=f"{campaign.pk}-{number}",
        message_id=f"{campaign.pk:08}-{number:04}" if ended else None,
        variables={"name": words.names[number % 5], "code": f"A{number:04}"},
        status=status,
        channel=channel,
        other_channels=FAILED.get((status, channel), ""),
        error_code=code,
        error_text=text,
        clicks=1 if status == Status.SEEN and number % 3 == 0 else None,
        matching_template_id=(0 if number % 50 == 0 else 1_000_001) if channel == "viber" else None,
        total_sms_parts=1 if channel == "sms" else None,
        delivered_sms_parts=1 if channel == "sms" else None,
        created_at=begun - MINUTE,
        accepted_at=begun if ended else None,
        reported_at=ended if is_over else None,
        finished_at=ended if is_over else None,
    )


def _batches(campaign, begun, *, done, wire=0, pending=0):
    keys = list(campaign.messages.order_by("pk").values_list("pk", flat=True))
    states = ["done"] * done + ["sending"] * wire + ["pending"] * pending
    size = len(keys) // len(states)
    Batch.objects.bulk_create(
        Batch(
            campaign=campaign,
            first_id=keys[number * size],
            last_id=keys[(number + 1) * size - 1],
            size=size,
            state=state,
            attempts=int(state != "pending"),
            created_at=begun,
            finished_at=begun + number * MINUTE / 2 if state == "done" else None,
        )
        for number, state in enumerate(states)
    )


def _with_history(campaign, now):
    """Let one message tell of both its channels: what Viber did not reach, SMS did."""
    message = campaign.messages.filter(status=Status.DELIVERED, channel="sms").order_by("pk").first()
    Message.objects.filter(pk=message.pk).update(status=Status.ACCEPTED, channel="", reported_at=None, finished_at=None)
    first = (now - 65 * MINUTE).timestamp()
    facts = (
        (0, {"status": 3, "substatus": 35, "hyber_status": 35015, "sent_via": "viber"}),
        (40, {"status": 2, "substatus": 23, "hyber_status": 23011, "sent_via": "sms"}),
    )
    for seconds, values in facts:
        moment = int((first + seconds) * 1_000)
        apply_delivery_reports([report(message, message_id=message.message_id, time=moment, **values)])
    # As if the reports had come when they were written.
    Message.objects.filter(pk=message.pk).update(finished_at=F("reported_at"))
    message.refresh_from_db()
    return message


def _people(words, message, now):
    reply = Reply.objects.create(
        account="default",
        fingerprint="reply",
        channel="viber",
        phone_number=message.phone_number,
        text=words.reply,
        replied_at=now - 20 * MINUTE,
        raw={"text_from_subscriber": words.reply},
        message=message,
    )
    suppression = Suppression.objects.create(phone_number="380671230000", reason=words.reason)
    former = FormerOptOut.objects.create(
        phone_number="380671230000",
        reason="Opted out by reply.",
        created_at=now - 60 * 24 * MINUTE,
        reply=reply,
        ended_reason="Removed by a colleague.",
        ended_at=now - 60 * MINUTE,
        ended_by="olena",
    )
    return reply, suppression, former


def open_doubts(shop):
    """Leave a batch and a single message in doubt until a person has to decide, and return them."""
    long_ago = timezone.now() - timedelta(hours=2)
    known = {
        "doubted_at": long_ago,
        "not_found_after": long_ago + MINUTE,
        "queried_at": long_ago + 110 * MINUTE,
        "due_at": long_ago + 130 * MINUTE,
        "queries": 41,
        "answer": Batch.Answer.NO_CONTROL,
        "answer_text": "HTTP 404",
        "error_text": "It is unknown whether the platform took the request: the answer did not come in time.",
    }
    batch = shop.sending.batches.order_by("pk").last()
    Batch.objects.filter(pk=batch.pk).update(state="unconfirmed", **known)
    batch.messages().update(status=Status.UNCONFIRMED, doubted_at=long_ago)
    Message.objects.filter(pk=shop.single.pk).update(**known)
    return batch, shop.single


def busy_jobs(campaign, user):
    """Background work on the page of a campaign: one that is done, one on its way, one that failed."""
    states = (("done", 2_480, ""), ("running", 900, ""), ("failed", 0, "It was interrupted 5 times."))
    for state, done, error in states:
        BackgroundJob.objects.create(
            kind="export", campaign=campaign, state=state, done=done, total=2_480, error_text=error, created_by=user
        )


def open_imports(shop, user):
    """Import a file of people into a campaign and into the list of opted-out numbers, and stop at every stage of that.

    The files are kept where the project keeps its uploads.
    """
    campaign = Campaign.objects.create(name=shop.draft.name, author=user)
    campaign.set_channels(shop.draft.get_channels())
    content = "\n".join(LINES).encode("cp1251")
    stages = {}
    for name, owner in (("recipients", campaign), ("opt-outs", None)):
        chosen, confirmed = (keep_upload(owner, user, ContentFile(content, name="клієнти.csv")) for _ in range(2))
        confirm_upload(confirmed, {"phone_column": "Телефон", "variables": {"name": "name"}}, at_once=True)
        stages |= {f"columns of {name}": chosen, f"report on {name}": BackgroundJob.objects.get(pk=confirmed.pk)}
    done = stages["report on recipients"]
    for state in ("running", "stopped"):
        stages[state] = BackgroundJob.objects.create(
            kind="import",
            campaign=campaign,
            state=state,
            parameters=done.parameters,
            result=done.result,
            done=20,
            total=40,
            created_by=user,
        )
    return stages
