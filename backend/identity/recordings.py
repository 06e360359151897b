"""What was typed for somebody who came with paper or called: kept as told, until they confirm or contest it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from backend.core.crypto import equality_index
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import base32, new_id
from backend.events.models import Event
from backend.events.services import record
from backend.identity.models import Recording, User
from backend.identity.services import host_day

CODE_LIFE = timedelta(days=90)
CODE_LENGTH = 20  # figures of base 32: 100 bits
RESEND_PAUSE = timedelta(minutes=1)
_SALT = "tronc.recording"


@dataclass(frozen=True)
class Told:
    """How somebody said what is being recorded, and how they will be asked to confirm it."""

    channel: str
    told_on: date
    note: str = ""
    confirm_by: str = "mail"


def require_told(told: Told, *, now: datetime) -> None:
    """Refuse an account of how it was said that lacks something.

    Raises: Invalid `channel_unknown`, `day_in_the_future`, `note_length`, `confirmation_unknown`.
    """
    if told.channel not in dict(Recording.CHANNELS):
        raise Invalid("channel_unknown", _("Say how it came: a paper, a call or a meeting."), param="channel")
    if told.told_on > host_day(now):
        raise Invalid("day_in_the_future", _("The day it was said cannot be in the future."), param="told_on")
    if len(told.note.strip()) > 500:
        raise Invalid("note_length", _("Keep the note within 500 characters."), param="note")
    if told.confirm_by not in dict(Recording.WAYS):
        raise Invalid("confirmation_unknown", _("Choose how they will confirm: mail or letter."), param="confirm_by")


def require_other(actor: User, asked: User, *, param: str) -> None:
    """Refuse to record something for oneself: nobody confirms what they typed.

    Raises: Invalid `recorded_for_oneself`.
    """
    if asked.pk == actor.pk:
        raise Invalid(
            "recorded_for_oneself",
            _("This would be for yourself: do it in your own name, without recording it."),
            param=param,
        )


def note_recording(
    *, actor: User, subject: str, on_behalf_of: str, asked: User, told: Told, now: datetime, scopes: Iterable[str]
) -> Recording:
    """Keep who recorded what for whom, and ask them to confirm by mail, or make the code of the letter.

    The caller has checked the right and holds the transaction. Args: scopes: of the event that sends the mail.
    Raises: Invalid `asked_without_address`.
    """
    if told.confirm_by == "mail" and not asked.has_address:
        raise Invalid(
            "asked_without_address",
            _("%(name)s has no e-mail address: let them confirm by letter.") % {"name": asked.name},
            param="confirm_by",
        )
    identifier = new_id("rec")
    recording = Recording.objects.create(
        id=identifier, subject=subject, recorded_by=actor, on_behalf_of=on_behalf_of, asked=asked,
        channel=told.channel, told_on=told.told_on, note=told.note.strip(), confirm_by=told.confirm_by,
        address_index=equality_index(asked.email) if told.confirm_by == "mail" else "",
        address_hint=hint(asked.email) if told.confirm_by == "mail" else "",
        code_digest=_digest(_code(identifier)), created_at=now,
    )  # fmt: skip
    if told.confirm_by == "mail":
        record("confirmation.asked", actor=actor, subject=recording.pk, now=now, scopes=list(scopes), thing=subject)
    return recording


def hint(address: str) -> str:
    """An address as a person recognises it and nobody else can write to it: `s…@example.org`."""
    name, _at, domain = address.partition("@")
    return f"{name[:1]}…@{domain}"[:80]


def code_of(recording: Recording) -> str:
    """The code of the link and of the letter, in groups of four. It is not kept: the secret key makes it again.

    With another secret key than on the day it was recorded, the code is another one and the former stops working.
    """
    code = _code(recording.pk)
    if recording.code_digest != _digest(code):
        recording.code_digest = _digest(code)
        recording.save(update_fields=["code_digest"])
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def recording_of(code: str, *, now: datetime) -> Recording:
    """The recording that a code confirms or contests, answered or not.

    Raises: NotFound `recording_not_found` for a code that is wrong, or older than ninety days and not answered.
    """
    plain = "".join(mark for mark in code.upper()[:64] if mark.isalnum())
    found = Recording.objects.select_related("recorded_by", "asked").filter(code_digest=_digest(plain)).first()
    if found is None or (answer_awaited(found) and now - found.created_at > CODE_LIFE):
        raise NotFound(
            "recording_not_found",
            _("This code is wrong, or older than ninety days. Copy it again, or write to who sent it to you."),
        )
    return found


def answer_awaited(recording: Recording) -> bool:
    """Whether nobody has confirmed or contested it yet, nor whoever recorded it taken it back."""
    return recording.confirmed_at is None and recording.contested_at is None and recording.retracted_at is None


def hold_unanswered(recording_id: str) -> Recording:
    """A recording held for its answer. Raises: Conflict `recording_answered`, saying nothing was changed."""
    row = Recording.objects.select_for_update(of=("self",)).select_related("recorded_by", "asked").get(pk=recording_id)
    if not answer_awaited(row):
        raise Conflict("recording_answered", _("This was answered already: an answer is given once."))
    return row


def note_confirmed(
    recording: Recording, *, actor: User | None, how: str, now: datetime, letter_on: date | None = None
) -> None:
    """Mark a held recording as confirmed.

    Args: actor: who typed the letter in; None: the person through the link or the code.
    Raises, for a letter: Forbidden `own_recording`; Conflict `confirmed_by_mail`; Invalid `day_in_the_future`,
        `letter_before_told`.
    """
    if actor is not None:
        _require_letter(recording, actor, letter_on, now)
    recording.confirmed_at, recording.confirmed_how, recording.letter_on = now, how, letter_on
    recording.save(update_fields=["confirmed_at", "confirmed_how", "letter_on"])
    record(
        "recording.confirmed", actor=actor, subject=recording.subject, now=now, scopes=[recording.on_behalf_of],
        on_behalf=recording.on_behalf_of, how=how, recording=recording.pk,
    )  # fmt: skip


def _require_letter(recording: Recording, actor: User, letter_on: date | None, now: datetime) -> None:
    """Refuse a letter that was not asked for, that its recorder types in, or that is dated out of reason."""
    if recording.recorded_by_id == actor.pk:
        raise Forbidden(
            "own_recording",
            _("You recorded this yourself: somebody else who may record here types the signed letter in."),
            action="pledge.record" if recording.subject.startswith("plg_") else "contribution.record",
        )
    if recording.confirm_by != "letter":
        raise Conflict("confirmed_by_mail", _("They were asked by mail: the answer comes from them alone."))
    if letter_on is None or letter_on > host_day(now):
        raise Invalid("day_in_the_future", _("The day of the letter cannot be in the future."), param="letter_on")
    if letter_on < recording.told_on:
        raise Invalid(
            "letter_before_told", _("The letter cannot be older than what it confirms was said."), param="letter_on"
        )


def note_contested(recording: Recording, *, reason: str, now: datetime, undone: bool) -> None:
    """Mark a held recording as contested. Args: undone: whether what was recorded could be taken back.

    Raises: Invalid `reason_missing`.
    """
    why = reason.strip()
    if not why or len(why) > 500:
        raise Invalid("reason_missing", _("Say in 1 to 500 characters what is wrong."), param="reason")
    recording.contested_at, recording.contested_reason = now, why
    recording.save(update_fields=["contested_at", "contested_reason"])
    record(
        "recording.contested", actor=None, subject=recording.subject, now=now, scopes=[recording.on_behalf_of],
        on_behalf=recording.on_behalf_of, why=why, recording=recording.pk, undone=undone,
    )  # fmt: skip


def require_recorder(recording: Recording, actor: User) -> None:
    """Refuse that anybody but whoever recorded something takes it back. Raises: Forbidden `recorded_by_another`."""
    if recording.recorded_by_id != actor.pk:
        raise Forbidden(
            "recorded_by_another",
            _("Somebody else recorded this: they alone take it back. The person it is for can contest it."),
            action="pledge.record" if recording.subject.startswith("plg_") else "contribution.record",
        )


def note_retracted(recording: Recording, *, actor: User, reason: str, now: datetime) -> None:
    """Mark a held recording as taken back by its recorder, the actor; the person who was asked reads why by mail.

    Raises: Invalid `reason_missing`.
    """
    why = reason.strip()
    if not why or len(why) > 500:
        raise Invalid("reason_missing", _("Say in 1 to 500 characters why you take it back."), param="reason")
    recording.retracted_at, recording.retracted_reason = now, why
    recording.save(update_fields=["retracted_at", "retracted_reason"])
    record(
        "recording.retracted", actor=actor, subject=recording.subject, now=now, scopes=[recording.on_behalf_of],
        on_behalf=recording.on_behalf_of, why=why, recording=recording.pk,
    )  # fmt: skip


@transaction.atomic
def send_again(*, actor: User, recording_id: str, now: datetime) -> None:
    """Ask again by mail; twice within a minute asks once. The caller has checked the right.

    Raises: Conflict `recording_answered`, `confirmed_by_letter`.
    """
    row = hold_unanswered(recording_id)
    if row.confirm_by != "mail":
        raise Conflict("confirmed_by_letter", _("This one is confirmed by letter: print it again."))
    asked = Event.objects.filter(kind="confirmation.asked", subject=row.pk).order_by("-created_at").first()
    if asked is None or now - asked.created_at >= RESEND_PAUSE:
        record(
            "confirmation.asked", actor=actor, subject=row.pk, now=now, scopes=asked.scopes if asked else [],
            thing=row.subject,
        )  # fmt: skip


def recordings_of(subjects: Iterable[str]) -> dict[str, Recording]:
    """Id of a pledge or contribution → what is known of its recording, for those that were recorded."""
    named = list(subjects)
    rows = Recording.objects.select_related("recorded_by").filter(subject__in=named) if named else ()
    return {row.subject: row for row in rows}


def _code(identifier: str) -> str:
    number = int.from_bytes(salted_hmac(_SALT, identifier, algorithm="sha256").digest(), "big")
    return base32(number % 32**CODE_LENGTH, CODE_LENGTH)


def _digest(code: str) -> str:
    return hashlib.sha256(f"{_SALT}:{code}".encode()).hexdigest()
