"""What the events of organisations, and of what is recorded for somebody else, say by mail, and to whom."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from backend.contributions.models import Contribution
from backend.core.dates import date_format
from backend.core.money import format_money
from backend.events.models import Event
from backend.identity.inviting import INVITATION_LIFE, accepted, invitation_token
from backend.identity.models import Offer, Organisation, Recording, Role, User
from backend.identity.organisations import managers
from backend.identity.permissions import MEMBERS
from backend.identity.recordings import CODE_LIFE, answer_awaited, code_of
from backend.identity.services import people_with, the_host
from backend.notifications.letters import Letter, link
from backend.pledges.models import Pledge
from backend.pledges.references import printed


def _nothing() -> tuple[str, str]:
    return "", ""


def member_invited(event: Event) -> Letter:
    """The person is told what they may do, and how to come in."""
    person, organisation = _person_and_organisation(event)
    offered = Offer.objects.filter(user=person, organisation=organisation).exists()
    if not offered and not Role.objects.filter(user=person, kind__in=MEMBERS, scope=organisation.pk).exists():
        return [], _nothing  # taken back meanwhile
    inviter = event.actor
    ready = accepted(person)

    def write() -> tuple[str, str]:
        values = {
            "inviter": inviter.name if inviter else the_host().name,
            "organisation": organisation.name,
            "days": INVITATION_LIFE.days,
        }
        if event.data["role"] == "organisation_manager":
            task = _("As a manager you pledge in its name, invite its members and say how much each may pledge.")
        else:
            task = _("As a member you pledge in its name and follow what its money did.")
        if ready:
            values["link"] = link("offers/")
            last = _(
                "Nothing begins before you accept; until then its managers do not read your name. Sign in to accept or "
                "to refuse:\n\n%(link)s"
            )
        else:
            values["link"] = link(f"invitations/{invitation_token(person, now=event.created_at)}/")
            last = _(
                "To choose your password, open this link within %(days)s days. It is for you alone and also confirms "
                "your address:\n\n%(link)s\n\nIf you do not know what this is about, do nothing."
            )
        return _("%(inviter)s invites you to act for %(organisation)s") % values, f"{task}\n\n{last % values}"

    return [person], write


def member_told(event: Event) -> Letter:
    """A member is told that their role, their limits or their membership changed; managers when somebody left."""
    person, organisation = _person_and_organisation(event)
    left = event.kind == "member.left"
    people = managers(organisation) if left else [person]

    def write() -> tuple[str, str]:
        values = {
            "name": person.name,
            "organisation": organisation.name,
            "link": link(f"organisations/{organisation.pk}/"),
        }
        texts = {
            "member.left": (
                _("%(name)s left %(organisation)s"),
                _("They act for it no more. The pledges they made stay.\n\n%(link)s"),
            ),
            "member.removed": (
                _("You no longer act for %(organisation)s"),
                _("A manager removed you from its members. The pledges you made stay; no money moves."),
            ),
            "member.changed": (
                _("Your role in %(organisation)s changed"),
                _("You are now a manager of it.\n\n%(link)s")
                if (event.after or {}).get("role") == "organisation_manager"
                else _("You are now a member of it.\n\n%(link)s"),
            ),
            "limit.set": (
                _("What you may pledge for %(organisation)s changed"),
                _("See your limits on its page. What you pledged before stays.\n\n%(link)s"),
            ),
        }
        subject, body = texts[event.kind]
        return subject % values, body % values

    return people, write


def organisation_merged(event: Event) -> Letter:
    """The members of both are told which one stays, and who came over with which role."""
    keep = Organisation.objects.get(pk=event.subject)
    other = Organisation.objects.get(pk=(event.before or {})["organisation"])
    people = User.objects.filter(roles__kind__in=MEMBERS, roles__scope=keep.pk, is_active=True).distinct()

    def write() -> tuple[str, str]:
        values = {
            "other": other.name,
            "keep": keep.name,
            "reason": event.why,
            "link": link(f"organisations/{keep.pk}/"),
            "people": _came_over(event),
        }
        return (
            _("%(other)s and %(keep)s are now one organisation") % values,
            _(
                "A treasurer merged them, for this reason: %(reason)s\n\nTheir pledges and members are together under "
                "%(keep)s. No money has moved.\n\nWho came over from %(other)s, and their role from now on:\n\n"
                "%(people)s\n\nIf somebody should not be there, a manager of %(keep)s removes them.\n\n%(link)s"
            )
            % values,
        )

    return list(people), write


def _came_over(event: Event) -> str:
    """The people of the organisation that ended, one a line, with their role in the one that stays."""
    rows = event.data.get("people", [])
    names = dict(User.objects.filter(pk__in=[row[0] for row in rows]).values_list("pk", "name"))
    roles = dict(Role.KINDS)
    lines = [f"– {names[person]} ({roles[after]})" for person, _before, after in rows if person in names]
    return "\n".join(lines) or _("nobody")


def confirmation_asked(event: Event) -> Letter:
    """The person in whose name something was recorded is asked to confirm or contest it."""
    recording = Recording.objects.select_related("recorded_by", "asked").get(pk=event.subject)
    if not answer_awaited(recording):
        return [], _nothing

    def write() -> tuple[str, str]:
        values = {
            "name": recording.recorded_by.name,
            "channel": recording.get_channel_display(),
            "day": date_format(recording.told_on, "j F Y"),
            "what": _what(recording),
            "link": link(f"confirm/{code_of(recording)}/"),
            "days": CODE_LIFE.days,
        }
        return (
            _("To confirm: what %(name)s recorded for you") % values,
            _(
                "After %(channel)s of %(day)s, %(name)s recorded this for you:\n\n%(what)s\n\nIs it right? Confirm it, "
                "or say what is wrong, on this page, without an account, within %(days)s days:\n\n%(link)s\n\nNo money "
                "has moved."
            )
            % values
            + _how_to_pay(recording),
        )

    return [recording.asked], write


def recording_answered(event: Event) -> Letter:
    """Whoever recorded something learns what the person answered; treasurers too when it could not be undone."""
    recording = Recording.objects.select_related("recorded_by", "asked").get(pk=event.data["recording"])
    contested, undone = event.kind == "recording.contested", bool(event.data.get("undone"))
    people = {recording.recorded_by_id: recording.recorded_by}
    if contested and not undone:
        people |= {one.pk: one for one in people_with("treasurer", [])}
    if event.actor_id == recording.recorded_by_id:
        return [], _nothing  # they typed the letter in themselves

    def write() -> tuple[str, str]:
        values = {
            "name": recording.asked.name,
            "what": _what(recording),
            "reason": event.why,
            "link": link(f"recordings/{recording.pk}/"),
        }
        if not contested:
            return (
                _("%(name)s confirms what you recorded") % values,
                _("%(what)s\n\nNothing more to do. No money has moved.\n\n%(link)s") % values,
            )
        if undone:
            after = _("It is cancelled: nothing was received or shared for it. No money has moved.")
        else:
            after = _("Money was received or shared for it already, so it stays: a treasurer settles it with them.")
        return (
            _("%(name)s contests what was recorded for them") % values,
            _("%(what)s\n\nWhat they say: %(reason)s\n\n%(after)s\n\n%(link)s") % (values | {"after": after}),
        )

    return list(people.values()), write


def recording_retracted(event: Event) -> Letter:
    """The person who was asked to confirm learns that nothing is awaited from them any more, and why."""
    recording = Recording.objects.select_related("recorded_by", "asked").get(pk=event.data["recording"])

    def write() -> tuple[str, str]:
        values = {"name": recording.recorded_by.name, "what": _what(recording), "reason": event.why}
        return (
            _("%(name)s took back what they recorded for you") % values,
            _("%(what)s\n\nIt was recorded by mistake: %(reason)s\n\nNothing is awaited from you. No money has moved.")
            % values,
        )

    return [recording.asked], write


def contribution_recorded(event: Event) -> Letter:
    """The stewards who may review it: neither the contributor nor who typed it."""
    contribution = Contribution.objects.select_related("contributor", "budget", "recorded_by").get(pk=event.subject)
    apart = {contribution.contributor_id, contribution.recorded_by_id}
    stewards = [one for one in people_with("steward", event.scopes) if one.pk not in apart]

    def write() -> tuple[str, str]:
        values = {
            "name": contribution.contributor.name,
            "by": contribution.recorded_by.name if contribution.recorded_by else "",
            "what": contribution.description[:80],
            "budget": contribution.budget.name,
            "link": link("reviews/"),
        }
        return (
            _("To review: %(what)s") % values,
            _("%(by)s recorded work of %(name)s for %(budget)s, who is asked to confirm it.\n\n%(link)s") % values,
        )

    return stewards, write


def _person_and_organisation(event: Event) -> tuple[User, Organisation]:
    return User.objects.get(pk=event.subject), Organisation.objects.get(pk=event.scopes[0])


def _what(recording: Recording) -> str:
    """What was recorded, in one sentence."""
    pledges = Pledge.objects.select_related("organisation", "budget__commons")
    pledge = pledges.filter(pk=recording.subject).first()
    if pledge is not None:
        return _("a pledge of %(amount)s from %(organisation)s to %(commons)s") % {
            "amount": format_money(pledge.amount, pledge.currency),
            "organisation": pledge.payer_name,
            "commons": pledge.budget.commons.name,
        }
    work = Contribution.objects.select_related("budget").get(pk=recording.subject)
    hours, rest = divmod(work.minutes, 60)
    return _("work of %(day)s for %(budget)s: %(what)s (%(time)s, %(amount)s asked)") % {
        "day": date_format(work.worked_on, "j F Y"),
        "budget": work.budget.name,
        "what": work.description,
        "time": (f"{hours} h {rest:02d}" if rest else f"{hours} h") if hours else f"{rest} min",
        "amount": format_money(work.amount, work.currency),
    }


def _how_to_pay(recording: Recording) -> str:
    """For a pledge, the transfer to make once it is confirmed."""
    pledge = Pledge.objects.filter(pk=recording.subject, state="active").first()
    if pledge is None:
        return ""
    account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
    if account is None:
        return ""
    return "\n\n" + _(
        "If it is right, the transfer to make is %(amount)s to %(holder)s, IBAN %(iban)s, with this reference: "
        "%(reference)s"
    ) % {
        "amount": format_money(pledge.amount, pledge.currency),
        "holder": the_host().name,
        "iban": account.iban,
        "reference": printed(pledge.reference),
    }


RECIPES: dict[str, Callable[[Event], Letter]] = {
    "member.invited": member_invited,
    "member.changed": member_told,
    "member.removed": member_told,
    "member.left": member_told,
    "limit.set": member_told,
    "organisation.merged": organisation_merged,
    "confirmation.asked": confirmation_asked,
    "recording.confirmed": recording_answered,
    "recording.contested": recording_answered,
    "recording.retracted": recording_retracted,
    "contribution.recorded": contribution_recorded,
}
