"""The outbox and a real mail server: what each answer does to a message, and what a slow server does to nobody."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from email import message_from_string
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import connection, connections
from django.utils import timezone

from backend.commons.stewards import grant_in_pot
from backend.core.errors import Forbidden
from backend.events.models import Event
from backend.identity.inviting import Named
from backend.identity.recordings import code_of
from backend.identity.services import grant_role
from backend.ledger.services import balance
from backend.notifications.models import OutgoingMail
from backend.notifications.outbox import OutboxBackend
from backend.notifications.services import ATTEMPTS, compose_due, hold_due, mail_figures, release_held, send_due
from backend.operations import demo
from tests.smtp import Sink, self_signed, smtp_server
from tests.web.test_recordings import pledged, recording

Play = Callable[..., Any]
NOW = timezone.now()


def through(settings: Any, sink: Sink) -> None:
    """Send through this server."""
    settings.MAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
    settings.MAIL_FOLDER = ""
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.DEFAULT_FROM_EMAIL = "Tronc <tronc@host.example>"


def a_mail(number: int = 0, recipient: str = "ana@example.org", **facts: Any) -> OutgoingMail:
    """One due message."""
    return OutgoingMail.objects.create(
        id=f"eml_{number:036d}", recipient=recipient, subject="Objet", body="Corps", due_at=NOW, **facts
    )


def test_a_letter_says_what_it_is(play: Play, settings: Any) -> None:
    world = play("make_promise")
    settings.MAIL_BOUNCES = "bounces@host.example"
    compose_due(world.now)
    with smtp_server() as sink:
        through(settings, sink)
        assert send_due(world.now) == 1
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.sent_at, mail.attempts) == ("sent", world.now, 1)
    assert any(line.startswith("mail FROM:<bounces@host.example>") for line in sink.commands)
    (letter,) = sink.letters
    assert f"Message-ID: <{mail.pk}@host.example>" in letter
    assert "From: Tronc <tronc@host.example>" in letter
    assert "Auto-Submitted: auto-generated" in letter
    assert re.search(r"^Date: \w{3}, ", letter, re.MULTILINE)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("script", "expected", "said"),
    [
        (
            {"RCPT": "550 5.1.1 no such user"},
            ("bounced", 1, 0),
            "refuses this recipient for good: 550 5.1.1 no such user",
        ),
        ({"DOT": "554 5.7.1 not wanted"}, ("bounced", 1, 0), "554 5.7.1 not wanted"),
        ({"RCPT": "451 4.2.2 mailbox full"}, ("due", 1, 2), "asks to try again later: 451 4.2.2 mailbox full"),
        ({"DOT": "452 4.3.1 no room"}, ("due", 1, 2), "452 4.3.1 no room"),
        ({"CONNECT": "421 4.3.2 closing"}, ("due", 1, 2), "does not answer: 421"),
        ({"MAIL": "550 5.7.1 not your domain"}, ("due", 0, 5), "refuses the sender"),
        ({"MAIL": "451 4.7.1 greylisted"}, ("due", 1, 2), "451 4.7.1 greylisted"),
    ],
)
def test_each_answer_has_its_consequence(
    settings: Any, script: dict[str, str], expected: tuple[str, int, int], said: str
) -> None:
    state, attempts, minutes = expected
    mail = a_mail()
    with smtp_server(script=script) as sink:
        through(settings, sink)
        assert send_due(NOW) == 1
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.due_at) == (state, attempts, NOW + timedelta(minutes=minutes))
    assert said in mail.last_error
    assert mail.sent_at is None
    assert sink.letters == []
    bounces = Event.objects.filter(kind="mail.bounced", subject=mail.pk).count()
    assert (mail.bounced_at, bounces) == ((NOW, 1) if state == "bounced" else (None, 0))


@pytest.mark.django_db
def test_a_refused_recipient_does_not_stop_the_others(settings: Any) -> None:
    a_mail(1, "nobody@example.org")
    a_mail(2)
    with smtp_server(script={"rcpt TO:<nobody@example.org>": "550 5.1.1 unknown"}) as sink:
        through(settings, sink)
        assert send_due(NOW) == 2
    assert list(OutgoingMail.objects.order_by("pk").values_list("state", flat=True)) == ["bounced", "sent"]
    assert sum(line.startswith("ehlo") for line in sink.commands) == 1  # one connection for both


@pytest.mark.django_db
def test_a_wrong_password_loses_no_mail_however_long(settings: Any) -> None:
    a_mail(1)
    a_mail(2)
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "tronc", "wrong"
    now = NOW
    with smtp_server(offers=["AUTH PLAIN"], script={"AUTH": "535 5.7.8 bad credentials"}) as sink:
        through(settings, sink)
        for _round in range(ATTEMPTS + 5):
            send_due(now)
            now += timedelta(hours=7)
    assert set(OutgoingMail.objects.values_list("state", "attempts")) == {("due", 0)}
    figures = mail_figures()
    assert figures.counts == {"due": 2, "sent": 0, "bounced": 0, "given_up": 0, "held": 0}
    assert "refuses the user name or the password" in figures.last_error
    assert figures.oldest_due is not None


@pytest.mark.django_db
def test_a_server_away_for_two_days_loses_nothing_and_one_away_for_ever_ends(settings: Any) -> None:
    mail = a_mail()
    with smtp_server() as gone:
        through(settings, gone)
    now, tries = NOW, 0
    while mail.state == "due":
        assert send_due(now) == 1
        assert send_due(now) == 0  # not before it is due again
        mail.refresh_from_db()
        tries += 1
        now = mail.due_at
        if tries == ATTEMPTS - 4:
            assert now - NOW > timedelta(days=2)
    assert (mail.state, mail.attempts, tries) == ("given_up", ATTEMPTS, ATTEMPTS)
    assert "does not answer" in mail.last_error


@pytest.mark.django_db
def test_a_server_away_is_asked_once_in_a_sweep(settings: Any) -> None:
    for number in range(3):
        a_mail(number)
    with smtp_server() as gone:
        through(settings, gone)
    assert send_due(NOW) == 1
    assert sorted(OutgoingMail.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_a_silent_server_holds_up_no_money(committed: str, play: Play, settings: Any) -> None:
    """While a sender waits for a server that says nothing, a pledge is made and paid, and no other sender starts."""
    assert settings.EMAIL_TIMEOUT == 20
    settings.EMAIL_TIMEOUT = 3
    world = play("make_house")
    mail = a_mail()
    with smtp_server(pause={"CONNECT": 60}) as sink:
        through(settings, sink)
        started = time.monotonic()

        def send() -> None:
            send_due(world.now)
            connections.close_all()

        sender = threading.Thread(target=send)
        sender.start()
        while OutgoingMail.objects.get(pk=mail.pk).attempts == 0:
            time.sleep(0.02)
        demo.make_promise(world)
        demo.receive(world)
        assert balance(kind="bank", owner=world.account.pk, currency="EUR") == 142_50
        compose_due(world.now)
        assert send_due(world.now) == 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in trans%%'", [committed]
            )
            assert cursor.fetchone() == (0,)
        assert sender.is_alive()
        sender.join(30)
        assert time.monotonic() - started < 15
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("due", 1)
    assert OutgoingMail.objects.filter(state="sent").count() == 0


def test_held_mail_leaves_when_a_person_says_so(play: Play, settings: Any, tmp_path: Path) -> None:
    world = play("make_promise")
    compose_due(world.now)
    count = OutgoingMail.objects.count()
    settings.MAIL_TRANSPORT, settings.EMAIL_FILE_PATH = (
        "django.core.mail.backends.filebased.EmailBackend",
        str(tmp_path),
    )
    assert hold_due(reason="restored from a backup", now=world.now) == count > 0
    assert send_due(world.now) == 0
    assert mail_figures().counts["held"] == count
    with pytest.raises(Forbidden):
        release_held(actor=world.users["ana"], now=world.now)
    assert mail_figures().counts["held"] == count
    grant_role(user=world.users["bo"], kind="administrator", scope=world.host.pk, granted_by=None, now=world.now)
    demo.give_factor(world.users["bo"])
    for actor, expected in ((world.users["bo"], count), (world.users["claire"], 0)):
        assert release_held(actor=actor, now=world.now) == expected
    assert Event.objects.filter(kind="mail.released").count() == 1
    assert send_due(world.now) == count


def test_what_the_settings_cannot_be(settings: Any) -> None:
    settings.MAIL_FOLDER = ""
    wrong = [
        ({"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, "E010"), ({"EMAIL_PORT": 0}, "E011"),
        ({"MAIL_FOLDER": "mail", "SMTP_NAMED": True}, "E012"), ({"EMAIL_HOST": ""}, "E013"),
        ({"EMAIL_HOST_USER": "x"}, "E014"), ({"DEFAULT_FROM_EMAIL": "tronc"}, "E016"),
        ({"MAIL_BOUNCES": "x@"}, "E016"),
    ]  # fmt: skip
    call_command("check")
    for values, code in wrong:
        before = {name: getattr(settings, name) for name in values}
        for name, value in values.items():
            setattr(settings, name, value)
        with pytest.raises(SystemCheckError, match=rf"tronc\.{code}"):
            call_command("check")
        with pytest.raises(CommandError):
            call_command("check_mail")
        for name, value in before.items():
            setattr(settings, name, value)
    settings.EMAIL_HOST, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "mail.example.org", "x", "y"
    errors = StringIO()
    call_command("check", stderr=errors)
    assert "tronc.W015" in errors.getvalue()


@pytest.mark.parametrize(
    ("facts", "values", "sentence"),
    [
        ({}, {}, None),
        (
            {"script": {"MAIL": "550 5.7.1 no"}},
            {},
            "refuses the sender (TRONC_MAIL_FROM, TRONC_MAIL_BOUNCES): 550 5.7.1 no",
        ),
        (
            {"offers": ["AUTH PLAIN"], "script": {"AUTH": "535 5.7.8 no"}},
            {"EMAIL_HOST_USER": "x", "EMAIL_HOST_PASSWORD": "y"},
            "refuses the user name or the password (TRONC_SMTP_USER): 535 5.7.8 no",
        ),
        ({}, {"EMAIL_USE_TLS": True}, "does not offer what the settings ask for"),
        ({}, {"EMAIL_USE_SSL": True}, "The encrypted connection failed"),
        (
            {"offers": ["STARTTLS"], "context": True},
            {"EMAIL_USE_TLS": True},
            "The certificate of the mail server is not valid",
        ),
        ({"script": {"CONNECT": "554 no service"}}, {}, "does not answer: 554"),
    ],
)
def test_the_command_says_what_is_wrong(
    settings: Any, tmp_path: Path, facts: dict[str, Any], values: dict[str, Any], sentence: str | None
) -> None:
    if facts.get("context"):
        facts = {**facts, "context": self_signed(tmp_path)}
    with smtp_server(**facts) as sink:
        through(settings, sink)
        settings.EMAIL_TIMEOUT = 2
        for name, value in values.items():
            setattr(settings, name, value)
        if sentence is None:
            out = StringIO()
            call_command("check_mail", stdout=out)
            assert out.getvalue() == f"127.0.0.1:{sink.port} accepts mail from Tronc <tronc@host.example>.\n"
            assert sink.letters == []
            call_command("check_mail", "--to", "ana@example.org", stdout=out)
            assert "To: ana@example.org" in sink.letters[0]
        else:
            with pytest.raises(CommandError) as refusal:
                call_command("check_mail")
            assert sentence in str(refusal.value)
            assert "\n" not in str(refusal.value)


def test_the_command_says_that_nobody_listens_and_that_a_folder_is_no_server(settings: Any, tmp_path: Path) -> None:
    with smtp_server() as gone:
        through(settings, gone)
    with pytest.raises(CommandError, match=r"does not answer: .*refused"):
        call_command("check_mail")
    out = StringIO()
    settings.MAIL_FOLDER = str(tmp_path / "mail")
    call_command("check_mail", stdout=out)
    assert out.getvalue() == f"Mail is written to the folder {tmp_path}/mail: none leaves.\n"
    (tmp_path / "file").touch()
    settings.MAIL_FOLDER = str(tmp_path / "file")
    with pytest.raises(CommandError, match="Mail cannot be written to"):
        call_command("check_mail")


def kept(word: str) -> bool:
    """Whether a word stands in any column of the outbox, which is what a dump of it says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notifications_outgoingmail one WHERE strpos(one::text, %s) > 0", [word])
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("here", [False, True])
def test_what_a_message_opens_is_not_kept_once_it_has_left(play: Play, settings: Any, here: bool) -> None:
    world = play("make_promise")
    settings.DEMO = here
    code = code_of(recording(pledged(world)))
    grant_in_pot(
        actor=world.users["sacha"], who=Named("Zoé", "zoe@example.org"), kind="contributor", reason="r",
        budget_id=world.budget.pk, now=world.now,
    )  # fmt: skip
    OutboxBackend().send_messages([EmailMessage("Your code", "It is QX7-PL2.", to=["bo@example.org"])])
    compose_due(world.now)
    words = (code, "/invitations/", "QX7-PL2")
    assert [kept(word) for word in words] == [True, True, True]
    with smtp_server() as sink:
        through(settings, sink)
        send_due(timezone.now())
    sent = "".join(str(message_from_string(letter).get_payload(decode=True)) for letter in sink.letters)
    assert [word for word in words if word not in sent] == []
    assert [kept(word) for word in words] == [here, here, here]  # the page of the demonstration still shows them
    assert OutgoingMail.objects.filter(subject="Your code", state="sent").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("script", [{"RCPT": "550 5.1.1 no such user"}, {"RCPT": "451 4.2.0 later"}])
def test_nor_once_it_was_refused_or_given_up(settings: Any, script: dict[str, str]) -> None:
    mail = a_mail(secret=True, attempts=ATTEMPTS - 1)
    plainly = a_mail(1, attempts=ATTEMPTS - 1)
    with smtp_server(script=script) as sink:
        through(settings, sink)
        send_due(NOW)
    mail.refresh_from_db()
    plainly.refresh_from_db()
    assert mail.state == plainly.state != "due"
    assert (kept("held a code") or kept("contenait un code"), mail.body == "Corps", plainly.body) == (
        True, False, "Corps",
    )  # fmt: skip
