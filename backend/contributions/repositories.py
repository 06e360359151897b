"""Connects the repositories of a budget to their forges, and people to the addresses under which they commit."""

import os
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from backend.commons.services import get_budget, tree_of
from backend.contributions.forges import FORGES
from backend.contributions.models import ForgeCommit, ForgeDelivery, ForgePerson, Repository
from backend.core import crypto
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.peers import is_loopback
from backend.events.services import record
from backend.identity.models import User
from backend.identity.naming import valid_address
from backend.identity.permissions import require

SWEEP = "contributions.treat_forges"
WAITING = ("unknown", "refused")  # outcomes that another day may change: such a delivery is kept to be read again
SECRET_BYTES = 32
BOTH_FOR = timedelta(days=7)  # the former secret counts beside the new one
MOST_ADDRESSES = 20


def clean_address(text: str) -> str:
    """The address of a repository as its forge shows it; empty for what is none.

    Forges tell it without the end that serves to copy it: `.git`.
    """
    if len(text) > 300 or any(mark.isspace() or not mark.isprintable() for mark in text):
        return ""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    path = parts.path.rstrip("/").removesuffix(".git")
    if parts.scheme not in {"https", "http"} or not parts.hostname or path.count("/") < 2 or "@" in parts.netloc:
        return ""
    if parts.query or parts.fragment or not text.isascii():
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}{path}"


@transaction.atomic
def connect_repository(
    *, actor: User, budget_id: str, forge: str, address: str, now: datetime
) -> tuple[Repository, str]:
    """Connect a repository: its forge may tell a budget of commits, which become drafts of the people who made them.

    Args: forge: `forgejo`, `gitlab` or `github`. address: of its page on the forge.
    Returns: the repository and its secret, which is never shown again.
    Raises: NotFound `budget_not_found`; Forbidden; Invalid `forge_unknown`, `repository_address`; Conflict
        `repository_known`.
    """
    budget = get_budget(budget_id)
    require(actor, "repository.connect", scopes=tree_of(budget))
    if forge not in FORGES:
        raise Invalid("forge_unknown", _("Choose the sort of forge: Forgejo, GitLab or GitHub."), param="forge")
    clean = clean_address(address.strip())
    if not clean:
        raise Invalid(
            "repository_address",
            _("Give the address of the repository as your browser shows it, for instance “%(example)s”.")
            % {"example": "https://codeberg.org/forgejo/forgejo"},
            param="address",
        )
    if clean.startswith("http://") and not is_loopback(urlsplit(clean).hostname or ""):
        raise Invalid(
            "repository_address",
            _("The address begins with https://: what a forge shows without it can be changed on its way."),
            param="address",
        )
    type(budget).objects.select_for_update(no_key=True).get(pk=budget.pk)  # the same one twice at once is one
    if Repository.objects.filter(budget=budget, address=clean, revoked_at=None).exists():
        raise Conflict(
            "repository_known",
            _("This repository is connected already. If its secret was not copied, make a new one on its page."),
            param="address",
        )
    key = new_id("rpo")
    secret = FORGES[forge].new_secret(os.urandom(SECRET_BYTES))
    row = Repository.objects.create(
        id=key, budget=budget, forge=forge, address=clean, secret_sealed=crypto.encrypt(secret, bound_to=key),
        created_by=actor, created_at=now,
    )  # fmt: skip
    record("repository.connected", actor=actor, subject=key, now=now, scopes=[budget.pk])
    return row, secret


@transaction.atomic
def renew_secret(*, actor: User, repository_id: str, now: datetime) -> tuple[Repository, str]:
    """Give a repository a new secret; the former one counts beside it for seven days.

    Returns: the repository and the new secret. Raises: NotFound `repository_not_found`; Forbidden; Conflict
    `repository_revoked`.
    """
    row = _held(actor, repository_id)
    secret = row.adapter.new_secret(os.urandom(SECRET_BYTES))
    row.former_sealed, row.former_until = row.secret_sealed, now + BOTH_FOR
    row.secret_sealed = crypto.encrypt(secret, bound_to=row.pk)
    row.save(update_fields=["former_sealed", "former_until", "secret_sealed"])
    record("repository.secret_renewed", actor=actor, subject=row.pk, now=now, scopes=[row.budget_id])
    return row, secret


@transaction.atomic
def revoke_repository(*, actor: User, repository_id: str, now: datetime) -> Repository:
    """Disconnect a repository: what its forge still sends is refused. The drafts that were made stay.

    Raises: NotFound `repository_not_found`; Forbidden; Conflict `repository_revoked`.
    """
    row = _held(actor, repository_id)
    row.secret_sealed = row.former_sealed = ""
    row.former_until, row.revoked_at, row.revoked_by = None, now, actor
    row.save(update_fields=["secret_sealed", "former_sealed", "former_until", "revoked_at", "revoked_by"])
    record("repository.revoked", actor=actor, subject=row.pk, now=now, scopes=[row.budget_id])
    return row


def _held(actor: User, repository_id: str) -> Repository:
    """A connected repository that the actor may change, locked."""
    rows = Repository.visible_to(actor).select_related("budget__parent").select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=repository_id).first()
    if row is None:
        raise NotFound("repository_not_found", _("There is no such repository."))
    require(actor, "repository.connect", scopes=tree_of(row.budget))
    if row.revoked_at is not None:
        raise Conflict("repository_revoked", _("This repository is disconnected already. Connect it anew."))
    return row


def secrets_of(row: Repository, now: datetime) -> list[str]:
    """The secrets that count now: none once it is disconnected."""
    found = [row.secret_sealed]
    if row.former_until is not None and row.former_until > now:
        found.append(row.former_sealed)
    return [crypto.decrypt(sealed, bound_to=row.pk) for sealed in found if sealed]


# --- who commits under which address ----------------------------------------------------------------------------------


def person_of(addresses: tuple[str, ...]) -> User | None:
    """Whose addresses these are: confirmed ones of an account first, then those that somebody said are theirs."""
    confirmed = {row.at: row.user for row in _confirmed(addresses).select_related("user")}
    said = {row.address: row.user for row in ForgePerson.objects.filter(address__in=addresses).select_related("user")}
    for found in (confirmed, said):
        for address in addresses:
            if address in found and found[address].is_active:
                return found[address]
    return None


def _confirmed(addresses: tuple[str, ...]) -> "QuerySet[EmailAddress]":
    rows: QuerySet[EmailAddress] = EmailAddress.objects.annotate(at=Lower("email"))
    return rows.filter(verified=True, at__in=addresses)


@transaction.atomic
def link_address(*, actor: User, address: str, now: datetime) -> ForgePerson:
    """Say that one commits under an address; commits that were told under it and had no owner become one's drafts.

    Nothing proves it, and nothing follows of it but drafts that one reads oneself: what is declared is reviewed.
    Raises: Forbidden `not_allowed`; Invalid `email_invalid`; Conflict `commit_address_taken`, `commit_addresses_full`.
    """
    clean = valid_address(address, param="address")
    if not User.objects.select_for_update(no_key=True).get(pk=actor.pk).is_active:  # ended while this was being sent
        raise Forbidden("not_allowed", _("Your roles do not allow this. Nothing was changed."))
    known = ForgePerson.objects.filter(address=clean).first()
    if known is not None and known.user_id == actor.pk:
        return known
    if known is not None or _confirmed((clean,)).exists():
        raise Conflict(
            "commit_address_taken",
            _("This address belongs to an account already: yours, if you confirmed it here, or somebody else’s."),
            param="address",
        )
    if ForgePerson.objects.filter(user=actor).count() >= MOST_ADDRESSES:
        raise Conflict("commit_addresses_full", _("You have twenty addresses: remove one first."), param="address")
    row = ForgePerson.objects.create(user=actor, address=clean, created_at=now)
    record("commit_address.linked", actor=actor, subject=actor.pk, now=now)
    look_again(actor=actor, now=now)
    return row


@transaction.atomic
def unlink_address(*, actor: User, link_id: int, now: datetime) -> None:
    """Take back that one commits under an address; the drafts stay.

    Raises: NotFound `commit_address_not_found`.
    """
    gone, _each = ForgePerson.objects.filter(pk=link_id, user=actor).delete()
    if not gone:
        raise NotFound("commit_address_not_found", _("There is no such address among yours."))
    record("commit_address.unlinked", actor=actor, subject=actor.pk, now=now)


@transaction.atomic
def look_again(*, actor: User, now: datetime) -> int:
    """Have the deliveries read again that told of commits under one's addresses and could make no draft.

    Returns: how many deliveries; those that are older than 90 days are not there any more.
    """
    mine = [
        *ForgePerson.objects.filter(user=actor).values_list("address", flat=True),
        *EmailAddress.objects.filter(user=actor, verified=True).values_list("email", flat=True),
    ]
    indexes = [crypto.equality_index(address.lower()) for address in mine]
    unknown = ForgeCommit.objects.filter(author_index__in=indexes, outcome__in=WAITING, delivery__isnull=False)
    waiting = ForgeDelivery.objects.filter(pk__in=unknown.values("delivery"), state="treated")
    found = waiting.exclude(body=b"").update(state="new", treated_at=None, attempts=0, next_try_at=now)
    if found:
        nudge(SWEEP)
    return found
