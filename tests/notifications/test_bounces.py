"""What mail servers send back: the message it is about is marked, its person is told, nothing hostile breaks it."""

import io
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from backend.core.errors import Invalid
from backend.events.models import Event
from backend.notifications.bounces import MAX_BYTES, record_bounce
from backend.notifications.models import OutgoingMail
from backend.notifications.services import comes_back
from tests.web.test_public import text_of

Play = Callable[..., Any]
NOW = timezone.now()
ID = f"eml_{7:036d}"


@pytest.fixture
def mail(db: None) -> OutgoingMail:
    """A message the server took an hour ago."""
    return OutgoingMail.objects.create(
        id=ID, recipient="ana@example.org", subject="Objet", body="Corps", due_at=NOW, state="sent",
        sent_at=NOW - timedelta(hours=1),
    )  # fmt: skip


def report(
    action: str = "failed", status: str = "5.1.1", original: str = f"<{ID}@host.example>", form: str = "message/rfc822"
) -> bytes:
    """A delivery report as RFC 3464 writes it."""
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: bounces@host.example\r\nSubject: Undelivered Mail\r\n"
        "Message-ID: <1@mx.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
        'report-type=delivery-status; boundary="B"\r\n\r\n'
        "--B\r\nContent-Type: text/plain\r\n\r\nI could not deliver it.\r\n"
        "--B\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; ana@example.org\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        f"--B\r\nContent-Type: {form}\r\n\r\nMessage-ID: {original}\r\nTo: ana@example.org\r\n\r\nCorps\r\n--B--\r\n"
    ).encode()


@pytest.mark.parametrize("form", ["message/rfc822", "text/rfc822-headers"])
def test_a_failed_delivery_is_recorded_once(mail: OutgoingMail, form: str) -> None:
    for _again in range(2):
        assert record_bounce(message=report(form=form), now=NOW) == mail
    mail.refresh_from_db()
    assert (mail.state, mail.bounced_at, mail.last_error) == ("bounced", NOW, "5.1.1 (delivery report)")
    event = Event.objects.get(kind="mail.bounced")
    assert (event.subject, event.data) == (ID, {"status": "5.1.1"})


@pytest.mark.parametrize(
    "message",
    [
        report(action="delayed", status="4.4.1"),
        report(action="delivered", status="2.0.0"),
        report(original="<other@mx.example>"),
        report(original=f"<eml_{8:036d}@host.example>"),
        report().replace(b"message/delivery-status", b"text/plain"),
        f"Subject: Re: Objet\r\nIn-Reply-To: <{ID}@host.example>\r\n\r\nAction: failed\r\n".encode(),
        b"",
        b"\x00\xff" * 1000,
        b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\n",
        b"Content-Type: =?utf-8?q?multipart/report?=;;;=\r\nContent-Transfer-Encoding: base64\r\n\r\n====",
    ],
)
def test_what_is_no_failure_of_ours_changes_nothing(mail: OutgoingMail, message: bytes) -> None:
    assert record_bounce(message=message, now=NOW) is None
    mail.refresh_from_db()
    assert mail.state == "sent"
    assert not Event.objects.exists()


def test_what_is_too_large_or_too_deep_is_refused(mail: OutgoingMail) -> None:
    with pytest.raises(Invalid) as refusal:
        record_bounce(message=report() + b" " * MAX_BYTES, now=NOW)
    assert refusal.value.code == "bounce_too_large"
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000))
    with pytest.raises(Invalid) as other:
        record_bounce(message=deep, now=NOW)
    assert other.value.code == "bounce_unreadable"
    wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 50_000
    assert record_bounce(message=wide, now=NOW) is None
    mail.refresh_from_db()
    assert mail.state == "sent"


def test_the_command_reads_a_file_or_what_the_mail_server_pipes(
    mail: OutgoingMail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "answer").write_bytes(b"Subject: holidays\r\n\r\n")
    call_command("record_bounce", str(tmp_path / "answer"))
    assert capsys.readouterr().out == "No message of ours came back in this one.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(report())))
    call_command("record_bounce")
    assert capsys.readouterr().out == f"{ID} came back.\n"
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    call_command("record_bounce", str(tmp_path / "large"))
    assert "one megabyte" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        call_command("record_bounce", str(tmp_path / "absent"))
    assert stop.value.code == 75


def test_its_person_is_told_until_mail_arrives_again(play: Play, sign_in: Callable[..., Client]) -> None:
    world = play("make_house")
    ana, now = world.users["ana"], timezone.now()
    browser = sign_in(ana)
    sentence = "Mail to ana@example.org comes back to us"
    assert sentence not in text_of(browser.get("/en/accounts/email/"))
    mail = OutgoingMail.objects.create(
        id=ID, recipient=ana.email, subject="Objet", body="Corps", due_at=now, state="sent", sent_at=now
    )
    record_bounce(message=report(), now=now)
    assert sentence in text_of(browser.get("/en/accounts/email/"))
    assert comes_back(ana, now=now + timedelta(days=89))
    assert not comes_back(ana, now=now + timedelta(days=91))
    assert not comes_back(world.users["bo"], now=now)
    OutgoingMail.objects.create(
        id=mail.pk[:-1] + "8", recipient=ana.email, subject="Objet", body="Corps", due_at=now, state="sent",
        sent_at=now + timedelta(minutes=5),
    )  # fmt: skip
    assert sentence not in text_of(browser.get("/en/accounts/email/"))
