"""System checks: what `manage.py check` says of the installation."""

import base64
from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register()
def encryption_keys(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Every encryption key is a number and 32 bytes."""
    for part in settings.ENCRYPTION_KEYS.split(","):
        number, _, key = part.strip().partition(":")
        try:
            valid = number.isdigit() and len(base64.b64decode(key, validate=True)) == 32
        except ValueError:
            valid = False
        if not valid:
            return [
                Error(
                    "TRONC_ENCRYPTION_KEYS is not a list of <number>:<base64 of 32 bytes>.",
                    hint="Make one with: echo 1:$(head -c 32 /dev/urandom | base64)",
                    id="tronc.E001",
                )
            ]
    return []


@register()
def loopback_only(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Plain http is for the loopback interface alone."""
    host = settings.BASE_URL.partition("://")[2].split("/")[0].split(":")[0]
    if settings.LOOPBACK_HTTP and host not in {"localhost", "127.0.0.1"}:
        return [
            Error(
                f"TRONC_LOOPBACK_HTTP is set but TRONC_BASE_URL names {host}.",
                hint="Unset TRONC_LOOPBACK_HTTP: people's sessions would travel unprotected.",
                id="tronc.E002",
            )
        ]
    return []
