"""System checks: what `manage.py check` says of the installation."""

import base64
import os
from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from backend.core.demo_mode import hindrance


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


@register()
def no_failpoints(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Processes that die on purpose are for the proofs, on the loopback interface."""
    if os.environ.get("TRONC_FAILPOINTS") and not settings.LOOPBACK_HTTP:
        return [
            Error(
                "TRONC_FAILPOINTS is set on an installation that serves others than this machine.",
                hint="Unset it: it is for ./run prove; here it has no effect.",
                id="tronc.E090",
            )
        ]
    return []


@register()
def demonstration_here_alone(app_configs: Any, **kwargs: Any) -> list[Error]:
    """One-click sign-in as anyone is for this machine, away from live keys."""
    why = hindrance(os.environ, settings.BASE_URL) if settings.DEMO else None
    return [Error(why, hint="Unset TRONC_DEMO on an installation that people use.", id="tronc.E010")] if why else []
