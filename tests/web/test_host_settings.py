"""Settings and bank accounts of the host: two people, and three days for an IBAN."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.events.models import Event
from backend.identity.models import Host, HostBankAccount, Proposal, User
from backend.identity.proposals import iban_of, withdraw
from backend.identity.services import grant_role
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.operations.host import (
    NOTICE,
    apply_due,
    decide_account,
    decide_settings,
    propose_account,
    propose_settings,
    stop_account,
)

NOW = timezone.now()
IBAN = "FR7630001007941234567890185"
SETTINGS: dict[str, Any] = {
    "name": "Association des Communs", "fee_bp": 700, "time_zone": "Europe/Paris", "fiscal_year_starts_on": 1,
    "reason": "Décidé à l’assemblée", "now": NOW,
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "name": "Livret", "iban": IBAN, "bic": "", "currency": "EUR", "reason": "Un second compte", "now": NOW,
}  # fmt: skip


def administered(world: Any, *names: str) -> Any:
    """Add administrators to the house."""
    for name in names:
        user = User.objects.create_user(f"{name}@example.org", demo.PASSWORD, name=name.title(), language="fr")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        grant_role(user=user, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
        demo.give_factor(user)
        world.users[name] = user
    return world


@pytest.fixture
def world(play: Any) -> Any:
    """The house, with two administrators."""
    return administered(play("make_house"), "odile", "paul")


def refused(kind: type[DomainError], code: str, act: Any, /, **values: Any) -> None:
    """The act is refused with this code and nothing changes."""

    def state() -> list[Any]:
        return [
            list(Host.objects.values()), list(HostBankAccount.objects.order_by("pk").values()),
            list(Proposal.objects.order_by("pk").values()), Event.objects.count(),
        ]  # fmt: skip

    before = state()
    with pytest.raises(kind) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert state() == before


class TestSettings:
    def test_a_fee_changes_with_two_people_for_the_receipts_to_come(self, world: Any) -> None:
        users = world.users
        proposal = propose_settings(actor=users["odile"], **SETTINGS)
        assert proposal.payload == {"before": {"fee_bp": 500}, "after": {"fee_bp": 700}}
        assert Host.objects.get().fee_bp == 500
        facts: dict[str, Any] = {
            "proposal_id": proposal.pk, "accept": True, "digest": proposal.digest, "now": NOW,
        }  # fmt: skip
        refused(Forbidden, "own_proposal", decide_settings, actor=users["odile"], **facts)
        refused(Forbidden, "not_allowed", decide_settings, actor=users["sacha"], **facts)
        decide_settings(actor=users["claire"], **facts)
        assert Host.objects.get().fee_bp == 700
        assert Event.objects.filter(subject=proposal.pk).count() == 2

    def test_receipts_that_are_booked_keep_their_fee(self, play: Any) -> None:
        from backend.payments.models import Payment

        world = administered(play("receive"), "odile")
        booked = list(Payment.objects.order_by("pk").values_list("pk", "fee"))
        proposal = propose_settings(actor=world.users["claire"], **SETTINGS)
        decide_settings(
            actor=world.users["denis"], proposal_id=proposal.pk, accept=True, digest=proposal.digest, now=NOW
        )
        assert list(Payment.objects.order_by("pk").values_list("pk", "fee")) == booked == [(booked[0][0], 500)]
        refused(
            Conflict, "time_zone_fixed", propose_settings, actor=world.users["claire"],
            **{**SETTINGS, "fee_bp": 700, "time_zone": "Europe/Madrid"},
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"fee_bp": 500}, "nothing_changed"), ({"fee_bp": 10_001}, "fee_out_of_range"),
            ({"name": " "}, "name_missing"), ({"time_zone": "Mars"}, "time_zone_unknown"),
            ({"fiscal_year_starts_on": 13}, "month_unknown"), ({"reason": ""}, "reason_missing"),
        ],
    )  # fmt: skip
    def test_what_was_typed_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        refused(Invalid, code, propose_settings, actor=world.users["odile"], **{**SETTINGS, **values})

    def test_what_papers_say_of_the_host_takes_two_people(self, world: Any) -> None:
        said = {**SETTINGS, "fee_bp": 500, "address": " 1 place Neuve \n\n75001 Paris", "rna": "w75 1000001"}
        proposal = propose_settings(actor=world.users["odile"], **said, vat_status="franchise")
        assert proposal.payload["after"] == {
            "address": "1 place Neuve\n75001 Paris", "rna": "W751000001", "vat_status": "franchise",
        }  # fmt: skip
        assert Host.objects.get().vat_status == "non_profit"
        decide_settings(
            actor=world.users["claire"], proposal_id=proposal.pk, accept=True, digest=proposal.digest, now=NOW
        )
        host = Host.objects.get()
        assert (host.address, host.rna, host.vat_status, host.tax_receipts, host.fee_bp) == (
            "1 place Neuve\n75001 Paris", "W751000001", "franchise", False, 500,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"vat_status": "liable"}, "vat_not_supported"), ({"vat_status": "other"}, "vat_status_unknown"),
            ({"tax_receipts": True}, "tax_receipts_not_built"), ({"rna": "351234567"}, "rna_invalid"),
            ({"address": "x" * 301}, "host_address_long"),
        ],
    )  # fmt: skip
    def test_what_papers_would_say_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        refused(Invalid, code, propose_settings, actor=world.users["odile"], **{**SETTINGS, **values})

    @pytest.mark.parametrize("statement", ["vat_status = 'liable'", "tax_receipts = true"])
    def test_the_database_refuses_what_is_not_built(self, world: Any, statement: str) -> None:
        before = list(Host.objects.values())
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE identity_host SET {statement}")
        assert list(Host.objects.values()) == before

    def test_settings_that_changed_meanwhile_are_not_overwritten(self, world: Any) -> None:
        proposal = propose_settings(actor=world.users["odile"], **SETTINGS)
        Host.objects.update(fee_bp=600)
        refused(
            Conflict, "settings_changed", decide_settings, actor=world.users["claire"], proposal_id=proposal.pk,
            accept=True, digest=proposal.digest, now=NOW,
        )  # fmt: skip

    def test_no_name_of_an_administrator_moves_money(self, world: Any) -> None:
        refused(Forbidden, "not_allowed", propose_settings, actor=world.users["sacha"], **SETTINGS)


class TestAccounts:
    def accepted(self, world: Any, **values: Any) -> Proposal:
        """A proposal of Odile that Claire accepts."""
        made = propose_account(actor=world.users["odile"], **{**ACCOUNT, **values})
        return decide_account(
            actor=world.users["claire"], proposal_id=made.pk, accept=True, digest=made.digest, now=NOW
        )

    def test_a_further_account_holds_after_three_days(self, world: Any) -> None:
        proposal = self.accepted(world)
        assert (proposal.state, proposal.applies_at, proposal.applied_at) == ("accepted", NOW + NOTICE, None)
        assert timedelta(hours=72) == NOTICE
        compose_due(NOW)
        told = set(OutgoingMail.objects.filter(subject__contains="72").values_list("recipient", flat=True))
        assert told == {"odile@example.org", "paul@example.org", "denis@example.org"}
        assert not any(IBAN in mail.body + mail.subject for mail in OutgoingMail.objects.all())
        assert apply_due(NOW + NOTICE - timedelta(seconds=1)) == 0
        assert HostBankAccount.objects.count() == 1
        assert apply_due(NOW + NOTICE) == 1
        assert set(HostBankAccount.objects.values_list("iban", flat=True)) == {demo.HOST_IBAN, IBAN}
        assert apply_due(NOW + NOTICE) == 0
        done = Proposal.objects.get()
        assert (done.applied_at, done.iban_sealed) == (NOW + NOTICE, "")
        fact = Event.objects.get(kind="bank_account.added")
        assert IBAN not in str(fact.after) + str(fact.data)

    def test_another_iban_for_an_account_keeps_the_account(self, world: Any) -> None:
        self.accepted(world, account_id=world.account.pk, name="Compte courant")
        assert HostBankAccount.objects.get().iban == demo.HOST_IBAN
        assert apply_due(NOW + NOTICE) == 1
        account = HostBankAccount.objects.get()
        assert (account.pk, account.iban, account.currency) == (world.account.pk, IBAN, "EUR")

    def test_an_account_that_pays_keeps_its_iban_meanwhile(self, play: Any) -> None:
        from backend.payouts.services import approve_batch, hand_over, prepare_batch

        world = administered(play("document"), "odile")
        batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
        self.accepted(world, account_id=world.account.pk)
        assert apply_due(NOW + NOTICE) == 0
        approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
        assert apply_due(NOW + NOTICE) == 0
        hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)
        assert apply_due(NOW + NOTICE) == 1

    def test_one_of_the_two_is_a_treasurer(self, world: Any) -> None:
        made = propose_account(actor=world.users["odile"], **ACCOUNT)
        facts: dict[str, Any] = {"proposal_id": made.pk, "accept": True, "digest": made.digest, "now": NOW}
        refused(Conflict, "treasurer_wanted", decide_account, actor=world.users["paul"], **facts)
        refused(Forbidden, "own_proposal", decide_account, actor=world.users["odile"], **facts)
        assert decide_account(actor=world.users["claire"], **facts).state == "accepted"

    def test_who_was_told_can_stop_it(self, world: Any) -> None:
        proposal = self.accepted(world)
        facts: dict[str, Any] = {"proposal_id": proposal.pk, "reason": "Je ne connais pas ce compte", "now": NOW}
        refused(Forbidden, "not_allowed", stop_account, actor=world.users["sacha"], **facts)
        refused(Forbidden, "own_proposal", stop_account, actor=world.users["odile"], **facts)
        stopped = stop_account(actor=world.users["denis"], **facts)
        assert (stopped.state, stopped.iban_sealed, stopped.applies_at) == ("refused", "", None)
        assert apply_due(NOW + NOTICE) == 0
        refused(Conflict, "proposal_decided", stop_account, actor=world.users["claire"], **facts)

    def test_the_proposer_takes_it_back_while_it_waits(self, world: Any) -> None:
        proposal = self.accepted(world)
        withdraw(actor=world.users["odile"], proposal_id=proposal.pk, now=NOW)
        assert apply_due(NOW + NOTICE) == 0
        assert HostBankAccount.objects.count() == 1

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"iban": "FR76"}, "iban_invalid"), ({"iban": demo.HOST_IBAN}, "iban_known"), ({"bic": "X"}, "bic_invalid"),
            ({"name": ""}, "name_missing"), ({"reason": ""}, "reason_missing"),
        ],
    )  # fmt: skip
    def test_what_was_typed_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        refused(Invalid, code, propose_account, actor=world.users["odile"], **{**ACCOUNT, **values})

    def test_the_iban_is_sealed_and_what_was_shown_is_what_is_accepted(self, world: Any) -> None:
        made = propose_account(actor=world.users["odile"], **ACCOUNT)
        assert iban_of(made) == IBAN
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_to_json(p)::text FROM identity_proposal p")
            assert IBAN not in cursor.fetchone()[0]
        from backend.core import crypto

        # Somebody with the database and a key swaps the IBAN: the decision does not take it.
        swapped = crypto.encrypt("DE89370400440532013000", bound_to=made.pk)
        Proposal.objects.filter(pk=made.pk).update(iban_sealed=swapped)
        refused(
            Conflict, "proposal_changed", decide_account, actor=world.users["claire"], proposal_id=made.pk,
            accept=True, digest=made.digest, now=NOW,
        )  # fmt: skip


def test_the_pages_of_the_host(world: Any, sign_in: Any) -> None:
    cache.clear()
    odile, claire = sign_in(world.users["odile"]), sign_in(world.users["claire"])
    shown = odile.get("/en/host/").content.decode()
    assert "FR76 3000 6000 0112 3456 7890 189" in shown
    assert "Propose other settings" in shown
    form = {"name": "Association des Communs", "fee": "7,5", "time_zone": "Europe/Paris", "fiscal_year": "1"}
    assert odile.post("/en/host/change/", form).status_code == 422
    assert odile.post("/en/host/change/", {**form, "fee": "beaucoup", "reason": "x"}).status_code == 422
    sent = odile.post("/en/host/change/", {**form, "reason": "Décidé à l’assemblée"})
    address = sent.headers["Location"]
    read = " ".join(claire.get(address).content.decode().split())
    assert "5 % becomes <strong>7.5 %</strong>" in read
    digest = Proposal.objects.get().digest
    assert claire.post(address, {"act": "accept", "digest": digest}).status_code == 302
    assert Host.objects.get().fee_bp == 750
    account = {"name": "Livret", "iban": IBAN, "bic": "", "currency": "EUR", "reason": "Un second compte"}
    sent = claire.post("/en/host/accounts/new/", account)
    address = sent.headers["Location"]
    for browser in (odile, claire):
        assert "FR76 3000 1007 9412 3456 7890 185" not in browser.get(address).content.decode()
    assert odile.post(address, {"act": "see"}).status_code == 403
    assert not Event.objects.filter(kind="proposal.iban_seen").exists()
    assert "FR76 3000 1007 9412 3456 7890 185" in claire.post(address, {"act": "see"}).content.decode()
    seen = Event.objects.get(kind="proposal.iban_seen")
    assert (seen.actor, seen.subject) == (world.users["claire"], Proposal.objects.latest("id").pk)
    assert odile.post(address, {"act": "anything", "reason": "oui"}).status_code == 422
    assert Proposal.objects.latest("id").state == "proposed"
    digest = Proposal.objects.latest("id").digest
    assert odile.post(address, {"act": "accept", "digest": digest}).status_code == 302
    waiting = odile.get(address).content.decode()
    assert "unless somebody stops it before" in waiting
    assert "FR76 3000 1007 9412 3456 7890 185" not in waiting
    assert "the digest you decide on covers all of it" in " ".join(waiting.split())
    paul = sign_in(world.users["paul"])
    assert paul.post(address, {"act": "stop", "reason": ""}).status_code == 422
    assert paul.post(address, {"act": "stop", "reason": "Inconnu"}).status_code == 302
    assert "FR76 3000 1007 9412 3456 7890 185" not in odile.get(address).content.decode()
    assert sign_in(world.users["sacha"]).get("/en/host/").status_code == 403
    changed = claire.get(f"/en/host/accounts/{world.account.pk}/")
    assert changed.status_code == 200
    assert claire.get("/en/host/accounts/bnk_none/").status_code == 404


def test_limits_of_payouts_take_two_people_and_hold_at_once(world: Any, sign_in: Any) -> None:
    cache.clear()
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    path = f"/en/host/accounts/{world.account.pk}/payouts/"
    form = {"limit_payee": "1 000,50", "limit_batch": "", "limit_day": "", "file_format": "pain.001.001.09"}
    assert claire.post(path, form).status_code == 422  # without a reason
    assert claire.post(path, {**form, "limit_payee": "a lot", "reason": "x"}).status_code == 422
    same = claire.post(path, {**form, "limit_payee": "", "reason": "x"})
    assert same.status_code == 422
    assert "These are the present settings" in same.content.decode()
    assert not Proposal.objects.filter(kind="host.payouts").exists()
    address = claire.post(path, {**form, "reason": "Decided together"}).headers["Location"]
    read = " ".join(denis.get(address).content.decode().split())
    assert "€1,000.50" in read
    assert "no limit" in read
    digest = Proposal.objects.get(kind="host.payouts").digest
    assert claire.post(address, {"act": "accept", "digest": digest}).status_code == 403
    world.account.refresh_from_db()
    assert world.account.limit_payee is None
    assert denis.post(address, {"act": "accept", "digest": digest}).status_code == 302
    world.account.refresh_from_db()
    assert (world.account.limit_payee, world.account.limit_batch) == (1_000_50, None)
    assert "€1,000.50 a payee" in " ".join(denis.get("/en/host/").content.decode().split())
