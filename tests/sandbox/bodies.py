"""Request bodies of the guide's shape."""

VIBER = {"text": "Your code is 1234", "ttl": 60}
SMS = {"text": "Your code is 1234", "alpha_name": "GMSU", "ttl": 300}


def single(digits="00", *, extra_id="e-1", channels=("viber", "sms"), callback_url=None, **changes):
    options = {"viber": VIBER, "sms": SMS}
    body = {
        "phone_number": int(f"3809611111{digits}"),
        "extra_id": extra_id,
        "channels": list(channels),
        "channel_options": {name: options[name] for name in channels},
    }
    if callback_url:
        body["callback_url"] = callback_url
    return body | changes


def broadcast(*all_digits, callback_url=None, channels=("viber", "sms"), **changes):
    body = single(channels=channels, callback_url=callback_url)
    del body["phone_number"], body["extra_id"]
    recipients = [
        {"phone_number": int(f"38096111{number:02d}{digits}"), "extra_id": f"e-{number}", "name": "Zoya"}
        for number, digits in enumerate(all_digits)
    ]
    return body | {"recipients": recipients} | changes
