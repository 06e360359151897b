"""What the bank refused or sent back of a batch, and a batch of which nobody knows what became."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

# A freeze keeps a batch from leaving; what is said of one that left is only knowledge, and is never refused by it.
SQL = """
CREATE OR REPLACE FUNCTION payouts_refuse_when_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (NEW.state IN ('approved', 'claimed', 'sent', 'unknown') AND NEW.state <> OLD.state
            AND OLD.state NOT IN ('sent', 'unknown')) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('tronc.freeze', 0));
        IF EXISTS (SELECT 1 FROM ledger_freeze WHERE lifted_at IS NULL) THEN
            RAISE EXCEPTION 'payouts are frozen' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payouts_are_frozen';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- An attempt that ended is never taken up again.
CREATE OR REPLACE FUNCTION payouts_payout_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM payouts_refuse(format('payout %s: a payout is never removed', OLD.id), 'payout_never_changes');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'prepared' OR NOT EXISTS (SELECT FROM payouts_payoutbatch
                WHERE id = NEW.batch_id AND state = 'prepared' AND approved_by_id IS NULL) THEN
            PERFORM payouts_refuse(format('payout %s: nothing joins a batch once it is signed', NEW.id), 'payout_begins');
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.batch_id, NEW.payee_id, NEW.refund_id, NEW.amount, NEW.end_to_end_id)
        IS DISTINCT FROM (OLD.id, OLD.batch_id, OLD.payee_id, OLD.refund_id, OLD.amount, OLD.end_to_end_id)
        -- Whom it went to is forgotten only once it is over.
        OR ((NEW.name, NEW.iban_hint) <> (OLD.name, OLD.iban_hint)
            AND OLD.state NOT IN ('settled', 'returned', 'rejected', 'cancelled')) THEN
        PERFORM payouts_refuse(format('payout %s: what was prepared never changes', OLD.id), 'payout_never_changes');
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('prepared', 'sent'), ('prepared', 'cancelled'),
        ('sent', 'settled'), ('sent', 'rejected'), ('settled', 'sent'), ('settled', 'returned')
    ) THEN
        PERFORM payouts_refuse(
            format('payout %s: from %s to %s is refused', OLD.id, OLD.state, NEW.state), 'payout_moves_along_its_states');
    END IF;
    RETURN NEW;
END $$;
"""

BATCH = [
    ("prepared", "awaiting approval"),
    ("approved", "approved, file ready"),
    ("claimed", "being handed over"),
    ("sent", "handed to the bank"),
    ("unknown", "handed over, nobody knows what became of it"),
    ("settled", "seen on the statement"),
    ("rejected", "refused"),
    ("returned", "refused or sent back by the bank"),
]
PAYOUT = [
    ("prepared", "prepared"),
    ("sent", "handed to the bank"),
    ("settled", "paid"),
    ("returned", "sent back by the bank"),
    ("rejected", "refused by the bank"),
    ("cancelled", "cancelled"),
]
HELD = [
    ("no_account", "no account was given"),
    ("no_document", "its supporting document is awaited"),
    ("on_hold", "the account changed and waits"),
    ("blocked", "the account is blocked"),
    ("closed", "the payee is closed"),
    ("unreached", "the bank said that the account is wrong"),
    ("name_not_latin", "the name cannot be written for the banks"),
    ("below_minimum", "below the smallest payment of its charter"),
    ("chosen", "left out by who prepared"),
    ("nobody_could_approve", "nobody else could approve it"),
    ("above_limit", "above a limit, and nobody could approve as a third person"),
    ("no_money", "not enough money at the bank"),
]


def undone_on(apps, schema_editor):
    """The day of what came back before days were kept: that on which it had been paid."""
    schema_editor.execute("UPDATE payouts_payout SET undone_on = settled_on WHERE state = 'returned'")


class Migration(migrations.Migration):
    dependencies = [("payouts", "0006_guards"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.AlterField("heldout", "code", models.CharField(choices=HELD, max_length=24)),
        migrations.AlterField(
            "payoutbatch", "state", models.CharField(choices=BATCH, default="prepared", max_length=12)
        ),
        migrations.AlterField("payout", "state", models.CharField(choices=PAYOUT, default="prepared", max_length=12)),
        migrations.AddField("payout", "line", models.CharField(blank=True, db_default="", default="", max_length=96)),
        migrations.AddField(
            "payout", "returned_line", models.CharField(blank=True, db_default="", default="", max_length=96)
        ),
        migrations.AddField("payout", "undone_on", models.DateField(null=True)),
        migrations.AddField(
            "payout", "undone_code", models.CharField(blank=True, db_default="", default="", max_length=4)
        ),
        migrations.AddField(
            "payout", "undone_reason", models.CharField(blank=True, db_default="", default="", max_length=280)
        ),
        migrations.AddField(
            "payout",
            "undone_by",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.RunPython(undone_on, migrations.RunPython.noop),
        migrations.AddConstraint(
            "payout",
            models.CheckConstraint(
                condition=Q(state__in=["returned", "rejected"]) ^ Q(undone_on=None), name="payout_undone_on_a_day"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
