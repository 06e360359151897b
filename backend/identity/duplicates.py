"""Organisations that are probably one: which they are, and how the members of one go over to the other."""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass

from backend.identity.models import Organisation, Role, SpendingLimit, User
from backend.identity.organisations import address_of, seal_address
from backend.identity.permissions import MEMBERS

ARRIVES_AS = "organisation_member"


def duplicates() -> list[list[Organisation]]:
    """The groups of organisations that are probably one: same SIREN, or same name but for case, accents, signs."""
    rows = list(Organisation.objects.filter(merged_into=None).order_by("created_at", "pk"))
    groups: list[list[Organisation]] = []
    seen: set[tuple[str, ...]] = set()
    for key in (lambda row: row.siren, lambda row: folded(row.name)):
        alike: dict[str, list[Organisation]] = defaultdict(list)
        for row in rows:
            if key(row):
                alike[key(row)].append(row)
        for group in alike.values():
            ids = tuple(row.pk for row in group)
            if len(group) > 1 and ids not in seen:
                seen.add(ids)
                groups.append(group)
    return groups


def folded(name: str) -> str:
    """A name without case, accents, spaces and signs."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(mark for mark in plain if mark.isalnum())


def completed(keep: Organisation, other: Organisation) -> dict[str, str]:
    """The details that `keep` lacks and `other` gives: column → value, the address as it is read.

    SIREN, SIRET and VAT number go together only where they agree: a SIRET or another SIREN of somebody else is left.
    """
    found: dict[str, str] = {}
    siren = keep.siren or other.siren
    if not keep.siren and other.siren:
        found["siren"] = other.siren
    if not keep.siret and other.siret and other.siret.startswith(siren):
        found["siret"] = other.siret
    if keep.vat_status == "unknown" and other.vat_status != "unknown":
        found["vat_status"] = other.vat_status
    if not keep.vat_number and other.vat_number and found.get("vat_status", keep.vat_status) == "liable":
        found["vat_number"] = other.vat_number
    if not keep.email and other.email:
        found["email"] = other.email
    address = address_of(other)
    if not keep.address_sealed and address.lines:
        found["address"] = f"{address.lines}\n{address.postal_code} {address.city}, {address.country}"
    return found


def complete(*, keep: Organisation, other: Organisation) -> list[str]:
    """Write in `keep` what it lacks and `other` gives; the caller holds both. Returns: the names of what was filled."""
    found = completed(keep, other)
    for name, value in found.items():
        if name == "address":
            keep.address_sealed = seal_address(keep, address_of(other))
        else:
            setattr(keep, name, value)
    keep.save(update_fields=["address_sealed" if name == "address" else name for name in found])
    return sorted(found)


@dataclass(frozen=True)
class Passing:
    """A person whose organisation ends: the role they had there, and the one they have in the one that stays."""

    person: User
    before: str
    after: str

    @property
    def before_name(self) -> str:
        """The role they had, in words."""
        return str(dict(Role.KINDS)[self.before])

    @property
    def after_name(self) -> str:
        """The role they will have, in words."""
        return str(dict(Role.KINDS)[self.after])


def passing_over(keep: Organisation, other: Organisation) -> list[Passing]:
    """Everybody of the organisation that ends, managers first, with what a merge makes of their role."""
    there = {role.user_id: role.kind for role in Role.objects.filter(kind__in=MEMBERS, scope=keep.pk).order_by("-kind")}
    people: dict[str, Passing] = {}
    rows = Role.objects.filter(kind__in=MEMBERS, scope=other.pk).select_related("user")
    for role in rows.order_by("kind", "user__name", "pk"):  # the manager's first where somebody holds both
        people.setdefault(role.user_id, Passing(role.user, role.kind, there.get(role.user_id, ARRIVES_AS)))
    return list(people.values())


def absorb(*, keep: Organisation, other: Organisation) -> dict[str, int]:
    """Move the members and limits of an organisation to another; the caller holds both, and the right to merge.

    Whoever is in both keeps the role and the limits of `keep`; the others become plain members, managers too: anybody
    can enter an organisation of the same name. Returns: how many roles and limits moved.
    """
    there = {role.user_id: role for role in Role.objects.filter(kind__in=MEMBERS, scope=keep.pk).order_by("-kind")}
    moved = {"roles": 0, "limits": 0}
    for role in Role.objects.filter(kind__in=MEMBERS, scope=other.pk).order_by("kind", "pk"):
        held = there.get(role.user_id)
        limits = SpendingLimit.objects.filter(user_id=role.user_id, organisation=other)
        if held is None:
            role.scope, role.kind = keep.pk, ARRIVES_AS
            role.save(update_fields=["scope", "kind"])
            there[role.user_id] = role
            moved["roles"] += 1
            moved["limits"] += limits.update(organisation=keep)
            continue
        role.delete()
        limits.delete()
    other.merged_into = keep
    other.save(update_fields=["merged_into"])
    return moved
