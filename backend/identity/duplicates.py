"""Organisations that are probably one: which they are, and how the members of one go over to the other."""

import unicodedata
from collections import defaultdict

from backend.identity.models import Organisation, Role, SpendingLimit
from backend.identity.permissions import MEMBERS


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


def absorb(*, keep: Organisation, other: Organisation) -> dict[str, int]:
    """Move the members and limits of an organisation to another; the caller holds both, and the right to merge.

    Whoever is in both keeps the role of `keep`, or is its manager if they were in either; its limits hold for them.
    Returns: how many roles and limits moved.
    """
    there = {role.user_id: role for role in Role.objects.filter(kind__in=MEMBERS, scope=keep.pk).order_by("-kind")}
    moved = {"roles": 0, "limits": 0}
    for role in Role.objects.filter(kind__in=MEMBERS, scope=other.pk).order_by("kind", "pk"):
        held = there.get(role.user_id)
        limits = SpendingLimit.objects.filter(user_id=role.user_id, organisation=other)
        if held is None:
            role.scope = keep.pk
            role.save(update_fields=["scope"])
            there[role.user_id] = role
            moved["roles"] += 1
            moved["limits"] += limits.update(organisation=keep)
            continue
        if role.kind == "organisation_manager" and held.kind != role.kind:
            held.kind = role.kind
            held.save(update_fields=["kind"])
        role.delete()
        limits.delete()
    other.merged_into = keep
    other.save(update_fields=["merged_into"])
    return moved
