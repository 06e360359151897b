"""PostgreSQL refuses by itself what no service does to objections, waivers, payees of shares and their documents."""

import pytest

from backend.commons.models import Budget
from backend.distributions.models import Distribution, Share
from backend.payees.models import Payee
from tests.distributions.pots import Pots
from tests.roles import Roles

OBJECT = (
    "INSERT INTO distributions_distributionobjection"
    " (id, distribution_id, objector_id, digest, reason, state, created_at)"
    " SELECT '{id}', id, '{by}', digest, 'Seen', '{state}', now() FROM distributions_distribution"
)
OPINE = (
    "INSERT INTO distributions_distributionopinion (id, objection_id, steward_id, upholds, reason, created_at)"
    " VALUES ('{id}', 'dob_a', '{by}', {upholds}, 'Seen', now())"
)
SET = "UPDATE distributions_distributionobjection SET "
WAIVE = (
    "INSERT INTO distributions_sharewaiver (id, share_id, amount, form_key, made_at)"
    " SELECT '{id}', id, {amount}, '{key}', now() FROM distributions_share WHERE id = '{share}'"
)
WAIVE_PART = (
    "INSERT INTO distributions_sharewaiverpart (waiver_id, budget_id, amount) VALUES ('wvr_a', '{budget}', {amount})"
)


@pytest.fixture
def shared(pots: Pots) -> tuple[Budget, Distribution]:
    """100 for requests of 90 by ana and 60 by bo: 60 and 40. Closed by claire, a treasurer."""
    budget = pots.pot("Réunion", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 90_00)
    pots.work(budget, "bo", 60_00)
    return budget, pots.close(budget)


def test_an_objection_is_raised_once_against_what_stands(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    bo = pots.person("bo").pk
    raised = OBJECT.format(id="dob_a", by=bo, state="open")
    roles.passes(raised)
    roles.refused(raised.replace("digest, 'Seen'", "repeat('0', 64), 'Seen'"), by="objection_before_approval")
    roles.refused(OBJECT.format(id="dob_a", by=bo, state="upheld"), by="objection_before_approval")
    roles.refused(raised, OBJECT.format(id="dob_b", by=bo, state="open"), by="one_standing_objection_per_person")
    pots.approve(shared[1])
    roles.refused(raised, by="objection_before_approval")


def test_an_objection_ends_once_and_by_whom_it_may(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    bo, sacha = pots.person("bo").pk, pots.person("sacha").pk
    raised = OBJECT.format(id="dob_a", by=bo, state="open")
    against = OPINE.format(id="dop_a", by=sacha, upholds="false")
    aside = f"{SET}state = 'overruled', ended_at = now()"
    roles.passes(raised, against, aside)
    roles.refused(raised, f"{SET}ended_at = now()", by="distribution_objection_ends_once")
    roles.refused(raised, f"{SET}state = 'lifted'", by="distribution_objection_ends_once")
    roles.refused(
        raised, f"{SET}state = 'lifted', ended_at = now()", f"{SET}state = 'open', ended_at = NULL",
        by="objection_moves_along_its_states",
    )  # fmt: skip
    roles.refused(raised, aside, by="objection_decided_by_enough")
    roles.refused(raised, against, f"{SET}state = 'upheld'", by="objection_decided_by_enough")
    roles.refused(raised, f"{SET}state = 'arbitrated', ended_at = now()", by="objection_answered_by_amounts")
    roles.refused(raised, against, aside, raised.replace("dob_a", "dob_b"), by="objection_decided_once")
    involved = "distribution_opinion_of_somebody_uninvolved"
    for name in ("bo", "ana", "claire"):  # raised it, is paid by it, closed it
        roles.refused(raised, OPINE.format(id="dop_a", by=pots.person(name).pk, upholds="true"), by=involved)
    roles.refused(raised, f"{SET}state = 'lifted', ended_at = now()", against, by=involved)
    roles.refused(raised, against, against.replace("dop_a", "dop_b"), by="one_distribution_opinion_per_steward")


def test_nothing_is_booked_while_an_objection_stands(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    raised = OBJECT.format(id="dob_a", by=pots.person("bo").pk, state="open")
    approve = (
        "UPDATE distributions_distribution SET state = 'booked', approved_at = now(), approved_by_id = "
        f"'{pots.person('denis').pk}'"
    )
    roles.passes(approve)
    waits = "distribution_waits_for_objections"
    roles.refused(raised, approve, by=waits)
    against = OPINE.format(id="dop_a", by=pots.person("sacha").pk, upholds="true")
    roles.refused(raised, against, f"{SET}state = 'upheld'", approve, by=waits)
    roles.passes(raised, f"{SET}state = 'lifted', ended_at = now()", approve)


def test_a_distribution_is_prepared_by_somebody_or_by_its_charter(
    shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    change = "UPDATE distributions_distribution SET {}"
    roles.refused(change.format("automatic = true"), by="automatic_distribution_by_charter")
    roles.refused(change.format("prepared_by_id = NULL"), by="distribution_prepared_or_automatic")


def test_a_waiver_is_of_something_and_counts_once(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    budget, made = shared
    pots.approve(made)
    share = Share.objects.get(contributor=pots.person("bo")).pk
    gives = WAIVE.format(id="wvr_a", share=share, amount=10_00, key="k")
    counts = f"UPDATE distributions_share SET waived = 1000 WHERE id = '{share}'"
    part = WAIVE_PART.format(budget=budget.pk, amount=10_00)
    roles.passes(gives, part, counts)
    roles.refused(WAIVE.format(id="wvr_a", share=share, amount=0, key="k"), by="share_waiver_positive")
    roles.refused(gives, gives.replace("wvr_a", "wvr_b"), by="one_waiver_per_form")
    roles.refused(gives, WAIVE_PART.format(budget=budget.pk, amount=-1), by="share_waiver_part_positive")
    roles.refused(gives, part, part, by="one_waiver_part_per_purse")
    roles.refused(gives, counts.replace("1000", "1001"), by="share_waived_by_its_waivers")
    roles.refused(gives, part, by="share_waived_by_its_waivers")
    roles.refused(gives, counts, by="waiver_of_its_parts")
    roles.refused(gives, WAIVE_PART.format(budget=budget.pk, amount=9_99), counts, by="waiver_of_its_parts")


def test_a_booked_share_stays_with_its_contributor(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    pots.approve(shared[1])
    share = Share.objects.get(contributor=pots.person("bo"))
    other = (
        "INSERT INTO payees_payee SELECT (jsonb_populate_record(one, jsonb_build_object('id', 'pye_b', 'is_default',"
        f" false))).* FROM payees_payee one WHERE id = '{share.payee_id}'"
    )
    move = f"UPDATE distributions_share SET payee_id = '{{}}'{{}} WHERE id = '{share.pk}'"
    roles.passes(other, move.format("pye_b", ""))
    foreign = Payee.objects.get(user=pots.person("ana")).pk
    roles.refused(move.format(foreign, ""), by="share_of_its_contributors_payee")
    closed = "UPDATE payees_payee SET closed_at = now() WHERE id = 'pye_b'"
    roles.refused(other, closed, move.format("pye_b", ""), by="share_of_its_contributors_payee")
    final = "booked_distribution_is_final"
    roles.refused(other, move.format("pye_b", ", waived = 1"), by=final)
    documented = f"UPDATE distributions_share SET state = 'documented' WHERE id = '{share.pk}'"
    roles.refused(other, documented, move.format("pye_b", ""), by=final)
    roles.refused("UPDATE distributions_share SET amount = amount + 1", by=final)
    roles.refused(f"UPDATE distributions_share SET contributor_id = '{pots.person('cy').pk}'", by=final)


def paper(share: Share, **changes: str) -> str:
    """SQL that hands over an invoice of a share, its columns changed."""
    columns = {
        "id": "'sup_a'", "share_id": f"'{share.pk}'", "payee_id": f"'{share.payee_id}'", "kind": "'uploaded'",
        "state": "'sent'", "number": "'F-1'", "dated_on": "current_date", "total": str(share.due), "currency": "'EUR'",
        "body_sealed": "''", "file_sealed": "'x'", "media": "'application/pdf'", "sha256": "repeat('0', 64)",
        "made_by_id": f"'{share.contributor_id}'", "made_at": "now()", "decided_at": "NULL", "decided_by_id": "NULL",
        "reason": "''", **changes,
    }  # fmt: skip
    return f"INSERT INTO distributions_supportingdocument ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"


def test_a_document_is_of_what_is_owed_to_whom_it_is_owed(
    pots: Pots, shared: tuple[Budget, Distribution], roles: Roles
) -> None:
    share = Share.objects.get(contributor=pots.person("bo"))
    of = "paper_of_what_is_owed"
    roles.refused(paper(share), by=of)  # the distribution is not booked yet
    pots.approve(shared[1])
    roles.passes(paper(share))
    foreign = f"'{Payee.objects.get(user=pots.person('ana')).pk}'"
    for change in (
        {"payee_id": foreign}, {"currency": "'CHF'"}, {"total": str(share.due + 1)}, {"state": "'refused'"},
        {"state": "'accepted'"},
    ):  # fmt: skip
        roles.refused(paper(share, **change), by=of)
    roles.refused(paper(share, made_by_id=f"'{pots.person('ana').pk}'"), by="paper_of_its_contributor")
    roles.refused(paper(share, kind="'receipts'"), by="receipts_of_expenses")
    for change in ({"number": "''"}, {"file_sealed": "''"}, {"sha256": "''"}):
        roles.refused(paper(share, **change), by="paper_is_whole")
    roles.refused(paper(share), paper(share, id="'sup_b'", number="'F-2'"), by="one_live_paper_of_a_share")


def test_a_document_is_decided_once_and_kept(pots: Pots, shared: tuple[Budget, Distribution], roles: Roles) -> None:
    pots.approve(shared[1])
    share = Share.objects.get(contributor=pots.person("bo"))
    given = paper(share)
    change = "UPDATE distributions_supportingdocument SET "
    claire, bo = pots.person("claire").pk, share.contributor_id
    accept = f"{change}state = 'accepted', decided_at = now(), decided_by_id = '{claire}'"
    refuse = f"{change}state = 'refused', decided_at = now(), decided_by_id = '{claire}', reason = 'Unreadable'"
    roles.passes(given, accept)
    roles.passes(given, refuse)
    for what in ("total = total + 1", "number = 'F-2'", "sha256 = repeat('1', 64)", "file_sealed = 'y'"):
        roles.refused(given, change + what, by="paper_is_final")
    roles.refused(
        given, refuse, f"{change}state = 'sent', decided_at = NULL, decided_by_id = NULL", by="paper_is_final"
    )
    roles.refused(given, accept, f"{change}reason = 'Other'", by="paper_is_final")
    roles.refused(given, refuse.replace("'Unreadable'", "''"), by="refused_paper_has_a_reason")
    roles.refused(given, accept.replace("decided_at = now(), ", ""), by="paper_decided_at_some_time")
    roles.refused(given, accept.replace(claire, bo), by="received_paper_takes_two")
    drafted = paper(share, id="'sup_b'", kind="'drafted'")
    roles.refused(
        paper(share, kind="'drafted'"), f"{change}state = 'cancelled', decided_at = now()", drafted,
        by="one_paper_of_a_number",
    )  # fmt: skip
    roles.passes(given, refuse, drafted)
    removed = "DELETE FROM distributions_supportingdocument"
    assert roles.said("tronc_app", given, removed)[0] == "InsufficientPrivilege"
    assert roles.said("tronc_owner", given, removed)[0] == "paper_is_kept"
    assert roles.said("tronc_owner", "TRUNCATE distributions_supportingdocument CASCADE")[0] == "paper_is_kept"


def test_nothing_is_payable_without_its_document(pots: Pots, shared: tuple[Budget, Distribution], roles: Roles) -> None:
    pots.approve(shared[1])
    share = Share.objects.get(contributor=pots.person("bo"))
    given, to = paper(share), f"UPDATE distributions_share SET state = '{{}}' WHERE id = '{share.pk}'"
    accept = (
        "UPDATE distributions_supportingdocument SET state = 'accepted', decided_at = now(), "
        f"decided_by_id = '{pots.person('claire').pk}'"
    )
    needs = "share_paid_with_a_document"
    roles.passes(given, accept, to.format("payable"))
    roles.refused(to.format("payable"), by=needs)
    roles.refused(given, to.format("payable"), by=needs)
    roles.refused(given, to.format("documented"), to.format("payable"), by=needs)
    for state in ("batched", "paid"):
        roles.refused(given, accept, to.format(state), by="share_moves_along_its_states")
    withdrawn = accept.replace("'accepted'", "'cancelled'")
    roles.refused(given, accept, to.format("payable"), withdrawn, to.format("batched"), by=needs)
