"""Who bore a provider's fee, what of a surplus or a movement went back or waits; a movement's amounts are written once."""

from django.db import migrations, models
from django.db.models import F, Q

# What came is still written once; how much of a surplus was taken back since may change.
WRITTEN_ONCE = """
CREATE OR REPLACE FUNCTION payments_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'DELETE on % is refused: what came and went is kept', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    free := CASE TG_TABLE_NAME
        WHEN 'payments_payment' THEN ARRAY['state', 'taken_back', 'payer_index']
        WHEN 'payments_surplus' THEN
            ARRAY['state', 'used', 'taken_back', 'decided_by_id', 'decided_at', 'reason', 'entry', 'payer_index']
        WHEN 'payments_refund' THEN
            ARRAY['state', 'name', 'reason', 'iban_sealed', 'iban_index', 'iban_hint']
        WHEN 'payments_deposit' THEN ARRAY['state', 'total', 'line', 'entry', 'cleared_on']
        ELSE ARRAY['state', 'deposit_id', 'drawer', 'number', 'returned_on', 'returned_reason']
    END;
    IF to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free THEN
        RAISE EXCEPTION 'UPDATE on % is refused: what came and went is written once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    RETURN NEW;
END $$;
"""
STATES = [
    ("waiting", "to decide"),
    ("kept", "kept for the next instalment"),
    ("credited", "given to the pot"),
    ("refunded", "refunded"),
    ("returned", "gone back with its payment"),
]


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_provider_guards")]
    operations = [
        migrations.AddField("payment", "provider_fee_borne", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddConstraint(
            "payment",
            models.CheckConstraint(
                condition=Q(provider_fee_borne__gte=0, provider_fee_borne__lte=F("provider_fee"))
                & Q(provider_fee_borne__lte=F("amount") - F("fee")),
                name="payment_bears_what_it_brought",
            ),
        ),
        migrations.AddField("surplus", "taken_back", models.BigIntegerField(default=0, db_default=0)),
        migrations.AlterField("surplus", "state", models.CharField(choices=STATES, default="waiting", max_length=12)),
        migrations.RemoveConstraint("surplus", "surplus_used_within_amount"),
        migrations.AddConstraint(
            "surplus",
            models.CheckConstraint(
                condition=Q(amount__gt=0, used__gte=0, taken_back__gte=0)
                & (
                    Q(state="waiting", used=0, taken_back__lt=F("amount"))
                    | Q(state__in=["kept", "refunded"], used__lt=F("amount") - F("taken_back"))
                    | Q(state="returned", used__lte=F("amount") - F("taken_back"))
                    | Q(state="credited", used=F("amount") - F("taken_back"))
                ),
                name="surplus_used_within_amount",
            ),
        ),
        migrations.RunSQL(WRITTEN_ONCE, migrations.RunSQL.noop),
        migrations.AddField("movement", "suspended", models.BigIntegerField(default=0, db_default=0)),
    ]
