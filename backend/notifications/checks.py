"""System checks of the mail settings: contradictions are said before the first message waits for ever."""

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@register()
def mail_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What cannot be together, what is missing, what is no address."""
    return [*_transport(), *_addresses()]


def _transport() -> list[CheckMessage]:
    """The server, its port, its encryption and its user."""
    said: list[CheckMessage] = []
    if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        said.append(
            Error(
                "TRONC_SMTP_STARTTLS and TRONC_SMTP_TLS are both set: a connection is encrypted in one way.",
                hint="TRONC_SMTP_TLS=1 goes with port 465, TRONC_SMTP_STARTTLS=1 with port 587.",
                id="tronc.E010",
            )
        )
    if not 1 <= settings.EMAIL_PORT <= 65_535:
        said.append(Error("TRONC_SMTP_PORT is not a port: a number from 1 to 65535 is expected.", id="tronc.E011"))
    if settings.MAIL_FOLDER and settings.SMTP_NAMED:
        said.append(
            Error(
                "TRONC_MAIL_FOLDER and TRONC_SMTP_HOST are both set: mail would be written to the folder and never "
                "leave.",
                hint="Unset one of them.",
                id="tronc.E012",
            )
        )
    if not settings.MAIL_FOLDER and not settings.EMAIL_HOST:
        said.append(Error("TRONC_SMTP_HOST is empty: no mail can leave.", id="tronc.E013"))
    if bool(settings.EMAIL_HOST_USER) != bool(settings.EMAIL_HOST_PASSWORD):
        said.append(
            Error("TRONC_SMTP_USER and TRONC_SMTP_PASSWORD go together: one of them is empty.", id="tronc.E014")
        )
    encrypted = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    if settings.EMAIL_HOST_PASSWORD and not encrypted and settings.EMAIL_HOST not in LOOPBACK:
        said.append(
            Warning(
                f"The password of the mail server would travel unprotected to {settings.EMAIL_HOST}.",
                hint="Set TRONC_SMTP_STARTTLS=1 (port 587) or TRONC_SMTP_TLS=1 (port 465).",
                id="tronc.W015",
            )
        )
    return said


def _addresses() -> list[CheckMessage]:
    """The sender and, if it is given, the address where refusals come back."""
    said: list[CheckMessage] = []
    addresses = {
        "TRONC_MAIL_FROM": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "TRONC_MAIL_BOUNCES": settings.MAIL_BOUNCES,
    }
    for name, address in addresses.items():
        if name == "TRONC_MAIL_BOUNCES" and not address:
            continue
        try:
            validate_email(address)
        except ValidationError:
            said.append(Error(f"{name} is not an e-mail address.", id="tronc.E016"))
    return said
