"""UTM parameters of a campaign: in what is sent, counted and shown, and in nothing without them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_hyber.campaigns.copy import CopyAudience, copy_once
from django_hyber.protocol import SMS, Viber
from django_hyber.services import check_campaign, import_recipients, preflight, start_campaign
from django_hyber.texts.composition import compose_saved
from django_hyber.texts.samples import MADE_UP
from tests.builders import make_campaign, posts
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)
LINK = "https://shop.example/a"
CHANNELS = [
    Viber(text=f"Hi %name%: {LINK}.", ttl=60, caption="Go", action=f"{LINK}?q=1#top"),
    SMS(text=f"{LINK}", alpha_name="GMSU", ttl=300),
]
UTM = {"utm_source": "viber", "utm_medium": "messenger", "utm_campaign": "spring-sale"}
ADDED = "utm_source=viber&utm_medium=messenger&utm_campaign=spring-sale"


def sent_options(platform):
    return posts(platform)[-1]["channel_options"]


def test_links_are_sent_with_the_parameters(platform):
    start_campaign(make_campaign([phone(1), phone(2)], CHANNELS, **UTM))

    options = sent_options(platform)
    assert options["viber"]["text"] == f"Hi %name%: {LINK}?{ADDED}."
    assert options["viber"]["action"] == f"{LINK}?{ADDED}&q=1#top"
    assert options["sms"]["text"] == f"{LINK}?{ADDED}"


def test_without_parameters_the_request_knows_nothing_of_them(platform):
    start_campaign(make_campaign([phone(1)], CHANNELS))

    assert LINK in str(posts(platform))
    assert "utm" not in str(posts(platform))


def test_empty_parameters_are_left_out(platform):
    start_campaign(make_campaign([phone(1)], CHANNELS, utm_source="viber"))

    assert sent_options(platform)["sms"]["text"] == f"{LINK}?utm_source=viber"


def test_texts_of_the_recipients_are_sent_as_they_were_imported(platform):
    campaign = make_campaign([], [SMS(alpha_name="GMSU", ttl=300)], **UTM)
    import_recipients(campaign, [{"phone": phone(1), "words": LINK}], text_column="words")
    start_campaign(campaign)

    assert LINK in str(posts(platform))
    assert "utm" not in str(posts(platform))


def test_the_preview_shows_and_counts_what_is_sent():
    campaign = make_campaign([phone(1)], CHANNELS, **UTM)

    _viber, sms = compose_saved(campaign, MADE_UP).channels

    assert sms.measures["text"].length == len(f"{LINK}?{ADDED}")
    assert ADDED in "".join(run.text for part in sms.preview.parts for runs in part.segments for run in runs)


def test_a_link_that_becomes_too_long_forbids_the_launch():
    long = f"{LINK}?q={'x' * 200}"
    campaign = make_campaign([phone(1)], [Viber(text="Hi", caption="Go", action=long, ttl=60)])
    assert check_campaign(campaign) == []

    campaign.utm_campaign = "y" * 60
    campaign.save()

    assert [problem.field for problem in preflight(campaign).problems] == ["action"]


def test_a_copy_has_the_parameters(admin_user):
    campaign = make_campaign([phone(1)], CHANNELS, **UTM)

    copy, _new = copy_once(campaign, name="Again", audience=CopyAudience.NOBODY, user=admin_user)

    assert copy.link_parameters == UTM
    assert [channel.options for channel in copy.channels.all()] == [row.options for row in campaign.channels.all()]


@pytest.mark.parametrize("value", ["весна", "a b", "a&b=c", "%name%", "a#b", "a\n"])
def test_what_would_break_a_link_is_refused(value):
    campaign = make_campaign([], CHANNELS)
    campaign.utm_source = value

    with pytest.raises(ValidationError, match="Latin letters"):
        campaign.full_clean()
