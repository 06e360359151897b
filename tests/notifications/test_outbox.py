"""Mail: written once from events, in each reader's language, sent by a sweep, tried again when the server is away."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import send_mail

from backend.events.models import Untold
from backend.notifications.models import OutgoingMail
from backend.notifications.services import ATTEMPTS, compose_due, send_due
from backend.payees.services import set_account
from backend.pledges.references import printed
from tests.concurrency import at_once

Play = Callable[..., Any]


def test_a_pledge_is_answered_with_how_to_pay(play: Play) -> None:
    world = play("make_promise")
    compose_due(world.now)
    mail = OutgoingMail.objects.get(recipient="ana@example.org")
    assert printed(world.pledge.reference) in mail.body
    assert world.account.iban in mail.body
    assert f"/fr/pledges/{world.pledge.pk}/" in mail.body
    assert not Untold.objects.exists()


def test_each_person_reads_their_language(play: Play) -> None:
    world = play("make_house")
    type(world.users["ana"]).objects.filter(email="ana@example.org").update(language="en")
    from backend.operations import demo

    world.users["ana"].refresh_from_db()
    demo.make_promise(world)
    compose_due(world.now)
    mail = OutgoingMail.objects.get(recipient="ana@example.org")
    assert mail.body.startswith("Hello Ana Ruiz,")
    assert "€100.00" in mail.subject


def test_the_whole_journey_tells_the_right_people(play: Play) -> None:
    world = play("settle")
    compose_due(world.now)
    told = {
        (mail.recipient.split("@")[0], mail.event.kind)
        for mail in OutgoingMail.objects.select_related("event")
        if mail.event
    }
    assert told == {
        ("ana", "pledge.made"), ("ana", "payment.received"),
        ("bo", "contribution.validated"),
        ("camille", "contribution.validated"), ("denis", "distribution.published"), ("bo", "distribution.approved"),
        ("camille", "distribution.approved"), ("denis", "batch.prepared"), ("bo", "payout.settled"),
        ("camille", "payout.settled"),
    }  # fmt: skip
    assert not any("FR1420041010050500013M02606" in mail.body for mail in OutgoingMail.objects.all())


def test_an_event_is_told_once(committed: str, play: Play) -> None:
    world = play("make_promise")
    at_once(lambda _number: compose_due(world.now), times=5)
    assert OutgoingMail.objects.filter(recipient="ana@example.org").count() == 1


def test_mail_is_sent_once(committed: str, play: Play, settings: Any, tmp_path: Path) -> None:
    settings.MAIL_TRANSPORT = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    world = play("make_promise")
    compose_due(world.now)
    assert sum(at_once(lambda _number: send_due(world.now), times=5)) == 1
    (sent,) = tmp_path.iterdir()
    assert "To: ana@example.org" in sent.read_text()
    assert OutgoingMail.objects.get().state == "sent"


def test_a_line_break_in_a_subject_does_not_stop_the_mail(play: Play, settings: Any, tmp_path: Path) -> None:
    settings.MAIL_TRANSPORT = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    world = play("make_promise")
    compose_due(world.now)
    OutgoingMail.objects.update(subject="Evil\rBcc: x@example.org\nmore")
    assert send_due(world.now) == 1
    (sent,) = tmp_path.iterdir()
    assert "Subject: Evil Bcc: x@example.org more" in sent.read_text()
    assert OutgoingMail.objects.get().state == "sent"


def test_a_mail_server_away_delays_and_ends(play: Play, settings: Any) -> None:
    settings.MAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    world = play("make_promise")
    compose_due(world.now)
    now = world.now
    for attempt in range(1, ATTEMPTS + 1):
        send_due(now)
        mail = OutgoingMail.objects.get()
        assert mail.attempts == attempt
        assert "refused" in mail.last_error
        assert send_due(now) == 0  # not before it is due again
        now += timedelta(minutes=2**attempt)
    assert mail.state == "given_up"


@pytest.mark.django_db
def test_what_django_sends_goes_through_the_outbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "backend.notifications.outbox.OutboxBackend"
    send_mail("Subject", "Body", None, ["a@example.org", "b@example.org"])
    assert sorted(OutgoingMail.objects.values_list("recipient", "state")) == [
        ("a@example.org", "due"), ("b@example.org", "due"),
    ]  # fmt: skip


def test_a_changed_account_is_told_to_its_person_and_the_first_is_not(play: Play) -> None:
    world = play("make_house")
    compose_due(world.now)
    told = OutgoingMail.objects.filter(recipient="bo@example.org", subject__contains="compte sur lequel")
    assert not told.exists()
    facts = {"actor": world.users["bo"], "name": "Bo Nguyen", "now": world.now}
    set_account(**facts, iban="DE89370400440532013000")
    compose_due(world.now)
    body = told.get().body
    assert "DE89 •••• 3000" in body
    assert "DE89370400440532013000" not in body
    set_account(**facts, iban="DE89370400440532013000")  # the same again is no news
    compose_due(world.now)
    assert told.count() == 1
