"""What a treasurer taught of lines to come: offered after an act, in force once confirmed, only ever proposing."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.identifying import locked_line
from backend.banking.models import BankLine, LinePart, MatchingRule
from backend.banking.unmatching import payments_of
from backend.banking.words import name_of, words_of
from backend.core.errors import Conflict, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require


def offered(line: BankLine) -> dict[str, Any] | None:
    """The rule that a line matched by a person may teach; None when it teaches nothing, or is known already.

    Returns: its words, direction, and the account of the chart or the payer that it proposes.
    """
    if line.state not in {"matched", "booked"} or line.matched_by_id is None:
        return None
    facts: dict[str, Any] = {"credit": line.amount > 0, "number": "", "payer": ""}
    part = LinePart.objects.filter(line=line, undone=False).first()
    if line.state == "booked" and part is not None and part.amount == line.amount:
        facts |= {"number": part.number, "words": fixed_words(line)}
    else:
        payers = {one.pledge.payer_id: one.pledge.payer_name for one in payments_of(line)}
        if len(payers) != 1:
            return None
        ((payer, name),) = payers.items()
        if not line.counterparty or name_of(name) == name_of(line.counterparty):
            return None  # its own name needs no rule
        facts |= {"payer": payer, "words": name_words(line)}
    if (
        not facts["words"]
        or MatchingRule.objects.filter(words=facts["words"], credit=facts["credit"], off_at=None).exists()
    ):
        return None
    return facts


def fixed_words(line: BankLine) -> str:
    """The words of a line that come again each time: without figures, which are days, numbers and amounts."""
    found = words_of(f"{line.counterparty} {line.text}")
    return " ".join(sorted({word for word in found if not any(mark.isdigit() for mark in word)}))[:200]


def name_words(line: BankLine) -> str:
    """The words of who paid, as the bank writes the name."""
    return " ".join(sorted(name_of(line.counterparty)))[:200]


def confirm_rule(*, actor: User, line_id: int, now: datetime) -> MatchingRule:
    """Confirm the rule that a line teaches: the next lines alike are proposed so. Books nothing.

    Raises: NotFound; Forbidden; Conflict `rule_not_offered`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        known = MatchingRule.objects.filter(learnt_from=line, off_at=None).first()
        if known is not None:
            return known  # the same act again
        facts = offered(line)
        if facts is None:
            raise Conflict("rule_not_offered", _("This line teaches nothing new: no rule was made."))
        made = MatchingRule.objects.create(
            id=new_id("rul"), learnt_from=line, confirmed_by=actor, confirmed_at=now, **facts
        )  # fmt: skip
        record("matching_rule.confirmed", actor=actor, subject=made.pk, now=now, line=line.pk, **facts)
    return made


def switch_off(*, actor: User, rule_id: str, now: datetime) -> MatchingRule:
    """Switch a rule off: it proposes nothing any more, and what was booked stays.

    Raises: NotFound; Forbidden.
    """
    rows = MatchingRule.visible_to(actor)
    if not rows.filter(pk=rule_id).exists():
        raise NotFound("rule_not_found", _("There is no such rule."))
    require(actor, "bank.match")
    with transaction.atomic():
        rule = rows.select_for_update(of=("self",)).get(pk=rule_id)
        if rule.off_at is None:
            rule.off_at, rule.off_by = now, actor
            rule.save(update_fields=["off_at", "off_by"])
            record("matching_rule.off", actor=actor, subject=rule.pk, now=now)
    return rule
