"""The keys turn with every sealed table filled: papers, which nobody may change, too; stopped midway, it goes on."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from backend.contributions.models import Repository
from backend.contributions.repositories import connect_repository, renew_secret, secrets_of
from backend.core import crypto
from backend.documents.models import Document
from backend.documents.services import Item, body_of, file_of, issue, party_of
from backend.events.models import Event
from backend.identity.models import HostBankAccount, Organisation
from backend.identity.organisations import Address, address_of, seal_address
from backend.identity.proposals import write
from backend.operations.management.commands import rotate_keys
from backend.operations.management.commands.rotate_keys import sealed_columns
from backend.payees.models import Payee
from backend.payees.services import open_iban
from backend.payments.models import Payment, Refund
from backend.payments.refunds import open_refund_iban, refund_payment
from backend.payments.services import receive_transfer
from backend.pledges.donations import give
from backend.pledges.models import Donor

Play = Callable[..., Any]
OLD = "1:" + base64.b64encode(b"a" * 32).decode()
NEW = "2:" + base64.b64encode(b"b" * 32).decode()
BACK_TO = "FR7630006000011234567890189"


@pytest.fixture
def house(play: Play, settings: Any) -> Any:
    """The demonstration paid out, with a gift, a refund, a paper, an address, a repository and a proposed account."""
    settings.ENCRYPTION_KEYS = OLD
    world = play("pay")
    gift = give(
        budget=world.budget, name="Gaëlle Roy", email="gaelle@example.org", amount=20_00, currency="EUR",
        rhythm="once", named=True, language="fr", form_key="g", now=world.now,
    )  # fmt: skip
    receive_transfer(
        pledge=gift, amount=20_00, source="line:gift", purse=("bank", HostBankAccount.objects.get().pk),
        received_on=world.today, actor=None, now=world.now,
    )  # fmt: skip
    organisation = Organisation.objects.get(pk=world.pledge.organisation_id)
    organisation.address_sealed = seal_address(organisation, Address("3 quai du Port", "29200", "Brest", "FR"))
    organisation.save(update_fields=["address_sealed"])
    issue(
        kind="call", key="one", subject="grp_one", party=party_of(organisation), items=[Item("Cartolibre", 10_00)],
        currency="EUR", language="fr", organisation=organisation, reference=world.pledge.reference, actor=None,
        now=world.now,
    )  # fmt: skip
    refund_payment(
        actor=world.users["claire"], payment_id=Payment.objects.get(pledge=gift).pk, amount=1_00, name="P",
        iban=BACK_TO, reason="r", form_key="r", now=world.now,
    )  # fmt: skip
    write(
        actor=world.users["claire"], kind="host.account", subject=HostBankAccount.objects.get().host_id, payload={},
        reason="r", now=world.now, iban=BACK_TO,
    )  # fmt: skip
    repository, _secret = connect_repository(
        actor=world.users["sacha"], budget_id=world.budget.pk, forge="forgejo", address="https://forge.example/a/b",
        now=world.now,
    )  # fmt: skip
    renew_secret(actor=world.users["sacha"], repository_id=repository.pk, now=world.now)
    empty = {
        f"{model._meta.label}.{column}"
        for model, column, _index in sealed_columns()
        if not model._default_manager.exclude(**{column: ""}).exists()
    }
    assert empty == set(), "a sealed column of which this test keeps nothing"
    return world


def secrets() -> list[Any]:
    """What was sealed, in clear; the files of papers byte for byte."""
    return [
        [(row.pk, row.name, row.email) for row in Donor.objects.order_by("pk")],
        [(row.pk, body_of(row), file_of(row)) for row in Document.objects.order_by("pk")],
        [(row.pk, open_refund_iban(row)) for row in Refund.objects.order_by("pk")],
        [(row.pk, open_iban(row)) for row in Payee.objects.exclude(iban_sealed="").order_by("pk")],
        [secrets_of(row, row.created_at) for row in Repository.objects.order_by("pk")],
        [str(address_of(row)) for row in Organisation.objects.exclude(address_sealed="").order_by("pk")],
    ]


def wrong_indexes() -> int:
    """How many indexes were made with a key that is not the present one."""
    known = [(row.email_index, row.email) for row in Donor.objects.all()]
    known += [(row.iban_index, open_refund_iban(row)) for row in Refund.objects.all()]
    known += [(row.iban_index, open_iban(row)) for row in Payee.objects.exclude(iban_sealed="")]
    return sum(index != crypto.equality_index(plain) for index, plain in known)


@pytest.mark.parametrize("options", [[], ["--new-index-key"]])
def test_every_table_turns_and_no_paper_is_touched(house: Any, settings: Any, options: list[str]) -> None:
    before = secrets()
    sealed = list(Document.objects.values_list("pk", "body_sealed", "pdf_sealed"))
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    call_command("rotate_keys", *options)
    assert Event.objects.filter(kind="keys.rotated").count() == 1
    settings.ENCRYPTION_KEYS = NEW
    assert secrets() == before
    assert wrong_indexes() == 0
    assert list(Document.objects.values_list("pk", "body_sealed", "pdf_sealed")) == sealed
    for model, column, _index in sealed_columns():
        left = [getattr(row, column) for row in model._default_manager.exclude(**{column: ""})]
        assert all(text.partition(":")[0] in {"2", "own"} for text in left), (model, column)


def test_killed_at_any_table_and_run_again_it_ends_right(
    house: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, each = secrets(), rotate_keys.rotate
    keys, at = OLD, 0
    for at in range(1, len(list(sealed_columns())) + 1):
        Payment.objects.update(payer_index="made with the former key")
        fresh = f"{at + 1}:" + base64.b64encode(bytes([at]) * 32).decode()
        settings.ENCRYPTION_KEYS = f"{fresh},{keys}"
        done: list[Any] = []

        def stopping(*arguments: Any, done: list[Any] = done, at: int = at) -> Any:
            done.append(arguments)
            if len(done) == at:
                raise KeyboardInterrupt
            return each(*arguments)

        monkeypatch.setattr(rotate_keys, "rotate", stopping)
        with pytest.raises(KeyboardInterrupt):
            call_command("rotate_keys", "--new-index-key")
        monkeypatch.setattr(rotate_keys, "rotate", each)
        assert Event.objects.filter(kind="keys.rotated").count() == at - 1
        call_command("rotate_keys", *["--new-index-key"][: at % 2])
        keys = settings.ENCRYPTION_KEYS = fresh
        assert secrets() == before
        assert wrong_indexes() == 0
        assert not Payment.objects.exclude(payer_index="").exists()
    assert at >= 10


def test_an_index_key_that_cannot_be_kept_leaves_the_hashes_of_payers(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = crypto.equality_index("one")
    Payment.objects.update(payer_index="made with the present key")

    def failing() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rotate_keys, "forget_payer_accounts", failing)
    with pytest.raises(KeyboardInterrupt):
        call_command("rotate_keys", "--new-index-key")
    assert crypto.equality_index("one") == index, "both, or neither"
