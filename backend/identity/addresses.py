"""People without an e-mail address: known by a name, asked by letter, until they give an address."""

from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.inviting import Named, person_named
from backend.identity.models import Recording, Role, User
from backend.identity.naming import language_of, required_name, valid_address
from backend.identity.recordings import Told, require_other


def somebody_named(who: Named, *, told: Told, param: str = "") -> User:
    """The person a recording is for: by their address, or by their name alone when they confirm by letter.

    Raises: Invalid `name_missing`, `email_invalid`.
    """
    if told.confirm_by == "letter" and not who.email.strip():
        return _without_address(who, param=param)
    return person_named(who, param=param)


def _without_address(named: Named, *, param: str) -> User:
    """A new person known by their name alone: nobody can sign in as them, and no mail is ever written to them."""
    name = required_name(named.name, f"{param}_name" if param else "name")
    made = User(id=new_id("usr"), name=name, language=language_of(named.language))
    made.email = f"{made.pk}@{User.NO_ADDRESS}".lower()
    made.set_unusable_password()
    made.save(force_insert=True)
    return made


@transaction.atomic
def take_address(*, actor: User, person: User, email: str, scopes: Iterable[str], now: datetime) -> User:
    """Note the address of somebody who had none. The caller has checked the right, and moves what is not of identity.

    An account that has this address already is that person: roles and recordings go over to it, and the account without
    an address closes, merged into it.
    Args: scopes: of the event, which tells ids and never the address.
    Returns: whoever has the address now.
    Raises: Conflict `address_known`, `address_of_another`; Invalid `email_invalid`, `recorded_for_oneself`.
    """
    held = User.objects.select_for_update().get(pk=person.pk)
    if held.has_address or not held.is_active:
        raise Conflict("address_known", _("This person has an address already: they change it themselves."))
    address = valid_address(email)
    taken = User.objects.filter(email=address).exists()
    if taken or EmailAddress.objects.filter(email__iexact=address, verified=True).exists():
        owner = person_named(Named(held.name, address, held.language))
        require_other(actor, owner, param="email")
        _join(held, owner)
    else:
        owner = held
        held.email = address
        held.save(update_fields=["email"])
        EmailAddress.objects.create(user=held, email=address, primary=True, verified=False)
    record(
        "person.address_given", actor=actor, subject=owner.pk, now=now, scopes=list(scopes),
        before={"person": person.pk}, after={"person": owner.pk},
    )  # fmt: skip
    return owner


def _join(other: User, owner: User) -> None:
    """Give the roles and recordings of a person without an address to the account that they turned out to have."""
    if Recording.objects.filter(asked=other, recorded_by=owner).exists():
        raise Conflict(
            "address_of_another",
            _("Whoever has this address recorded something for this person: it is not theirs. Nothing was changed."),
            param="email",
        )
    for role in Role.objects.filter(user=other):
        if Role.objects.filter(user=owner, scope=role.scope, kind=role.kind).exists():
            role.delete()
        else:
            role.user = owner
            role.save(update_fields=["user"])
    Recording.objects.filter(asked=other).update(asked=owner)
    Recording.objects.filter(on_behalf_of=other.pk).update(on_behalf_of=owner.pk)
    other.is_active, other.merged_into = False, owner
    other.save(update_fields=["is_active", "merged_into"])
