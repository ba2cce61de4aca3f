"""Images that are uploaded beside the field for their link."""

from __future__ import annotations

import base64

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from django_hyber.texts import images
from tests.admin.pages import url_of

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff\xe0" + b"0" * 20 + b"\xff\xd9"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT, settings.MEDIA_URL = tmp_path / "media", "/media/"
    settings.HYBER = {"default": {**settings.HYBER["default"], "CALLBACK_BASE_URL": "https://shop.example/"}}


def upload(client, campaign, content, name="photo.png"):
    data = {"image": ContentFile(content, name=name), "account": "default"}
    return client.post(url_of(campaign, "image"), data)


def stored():
    return default_storage.listdir(images.FOLDER)[1] if default_storage.exists(images.FOLDER) else []


@pytest.mark.parametrize(("content", "suffix"), [(PNG, "png"), (JPEG, "jpg")], ids=["png", "jpeg"])
def test_an_image_gets_a_random_name_by_its_content_and_a_complete_address(admin_client, draft, content, suffix):
    answer = upload(admin_client, draft, content, name="secret plan.html").json()

    (name,) = stored()
    assert answer == {"address": f"https://shop.example/media/{images.FOLDER}/{name}"}
    assert name.endswith(f".{suffix}")
    assert "secret" not in name
    with default_storage.open(f"{images.FOLDER}/{name}") as file:
        assert file.read() == content


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"GIF89a;",
        PNG[:40],
        JPEG[:-1],
        PNG + b"<script>",
        b"\x89PNG\r\n\x1a\n",
        b"x" * (images.MAX_BYTES + 1),
    ],
    ids=["html", "gif", "cut png", "cut jpeg", "something behind it", "signature alone", "large"],
)
def test_what_is_no_image_or_too_large_is_refused_and_not_stored(admin_client, draft, content):
    response = upload(admin_client, draft, content)

    assert response.json()["error"]
    assert stored() == []


def test_without_an_address_for_phones_nothing_is_stored(admin_client, draft, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "CALLBACK_BASE_URL": ""}}

    assert "CALLBACK_BASE_URL" in upload(admin_client, draft, PNG).json()["error"]
    assert stored() == []


def test_without_a_default_storage_an_image_can_only_be_linked(admin_client, draft, settings):
    settings.STORAGES = {name: found for name, found in settings.STORAGES.items() if name != "default"}

    assert "the link of an image" in upload(admin_client, draft, PNG).json()["error"]


def test_a_storage_with_complete_addresses_needs_no_setting(admin_client, draft, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "CALLBACK_BASE_URL": ""}}
    settings.MEDIA_URL = "https://cdn.example/"

    assert upload(admin_client, draft, PNG).json()["address"].startswith(f"https://cdn.example/{images.FOLDER}/")


def test_after_the_launch_no_image_is_uploaded(admin_client, draft):
    draft.status = "finished"
    draft.save()

    assert upload(admin_client, draft, PNG).status_code == 403
