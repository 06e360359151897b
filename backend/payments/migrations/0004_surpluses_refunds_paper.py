"""Surpluses, refunds, cheques and cash; the rate of the fee and the payer's account are kept with each payment."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What came is written once: later only how it stands may change. Nothing of it is removed.
GUARDS = """
CREATE FUNCTION payments_what_came_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on % is refused: what came and went is kept', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    IF (to_jsonb(OLD) ->> 'id', to_jsonb(OLD) ->> 'amount', to_jsonb(OLD) ->> 'currency', to_jsonb(OLD) ->> 'source',
            to_jsonb(OLD) ->> 'received_on', to_jsonb(OLD) ->> 'kind', to_jsonb(OLD) ->> 'account_id')
        IS DISTINCT FROM
       (to_jsonb(NEW) ->> 'id', to_jsonb(NEW) ->> 'amount', to_jsonb(NEW) ->> 'currency', to_jsonb(NEW) ->> 'source',
            to_jsonb(NEW) ->> 'received_on', to_jsonb(NEW) ->> 'kind', to_jsonb(NEW) ->> 'account_id') THEN
        RAISE EXCEPTION 'UPDATE on % is refused: what came is written once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER what_came_stays BEFORE UPDATE OR DELETE ON payments_surplus
    FOR EACH ROW EXECUTE FUNCTION payments_what_came_stays();
CREATE TRIGGER what_came_stays BEFORE UPDATE OR DELETE ON payments_paperpayment
    FOR EACH ROW EXECUTE FUNCTION payments_what_came_stays();
CREATE TRIGGER what_came_stays BEFORE UPDATE OR DELETE ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_what_came_stays();
CREATE TRIGGER what_came_stays BEFORE UPDATE OR DELETE ON payments_deposit
    FOR EACH ROW EXECUTE FUNCTION payments_what_came_stays();
REVOKE DELETE, TRUNCATE ON payments_surplus, payments_paperpayment, payments_refund, payments_deposit FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0008_consent"),
        ("payments", "0003_guards"),
        ("pledges", "0002_instalments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Deposit",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("cheque", "cheque"), ("cash", "cash")], max_length=8)),
                ("total", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("prepared", "on its way to the bank"),
                            ("cleared", "seen on the statement"),
                            ("undone", "undone"),
                        ],
                        default="prepared",
                        max_length=12,
                    ),
                ),
                ("slip", models.CharField(blank=True, max_length=40)),
                ("form_key", models.CharField(max_length=64)),
                ("prepared_on", models.DateField()),
                ("prepared_at", models.DateTimeField()),
                ("line", models.CharField(blank=True, max_length=128)),
                ("entry", models.CharField(blank=True, max_length=48)),
                ("cleared_on", models.DateField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PaperPayment",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("cheque", "cheque"), ("cash", "cash")], max_length=8)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("drawer", models.CharField(blank=True, max_length=140)),
                ("number", models.CharField(blank=True, max_length=40)),
                ("received_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "to take to the bank"),
                            ("deposited", "on its way to the bank"),
                            ("cleared", "seen on the statement"),
                            ("returned", "returned unpaid"),
                        ],
                        default="received",
                        max_length=12,
                    ),
                ),
                ("form_key", models.CharField(max_length=64)),
                ("recorded_at", models.DateTimeField()),
                ("returned_on", models.DateField(null=True)),
                ("returned_reason", models.CharField(blank=True, max_length=280)),
            ],
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=70)),
                ("iban_sealed", models.TextField(blank=True)),
                ("iban_index", models.CharField(blank=True, db_index=True, max_length=64)),
                ("iban_hint", models.CharField(blank=True, max_length=24)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(max_length=280)),
                (
                    "state",
                    models.CharField(
                        choices=[("owed", "to pay"), ("batched", "in a batch"), ("paid", "paid")],
                        default="owed",
                        max_length=12,
                    ),
                ),
                ("form_key", models.CharField(max_length=64)),
                ("asked_at", models.DateTimeField()),
                ("entry", models.CharField(max_length=48)),
            ],
        ),
        migrations.CreateModel(
            name="Surplus",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=128, unique=True)),
                ("amount", models.BigIntegerField()),
                ("used", models.BigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                (
                    "method",
                    models.CharField(
                        choices=[("bank_transfer", "bank transfer"), ("cheque", "cheque"), ("cash", "cash")],
                        max_length=16,
                    ),
                ),
                ("payer_index", models.CharField(blank=True, default="", max_length=64)),
                ("received_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "to decide"),
                            ("kept", "kept for the next instalment"),
                            ("credited", "given to the pot"),
                            ("refunded", "refunded"),
                            ("returned", "gone with a returned cheque"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=280)),
                ("entry", models.CharField(blank=True, max_length=48)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "surpluses",
            },
        ),
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_taken_back_within_amount",
        ),
        migrations.AddField(
            model_name="payment",
            name="fee_bp",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="payer_index",
            field=models.CharField(blank=True, db_default="", db_index=True, default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="payment",
            name="method",
            field=models.CharField(
                choices=[("bank_transfer", "bank transfer"), ("cheque", "cheque"), ("cash", "cash")], max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="state",
            field=models.CharField(
                choices=[("succeeded", "received"), ("lost", "taken back by the bank"), ("refunded", "refunded")],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "succeeded"), ("taken_back__gte", 0), ("taken_back__lt", models.F("amount"))),
                    models.Q(("state__in", ["lost", "refunded"]), ("taken_back", models.F("amount"))),
                    _connector="OR",
                ),
                name="payment_taken_back_within_amount",
            ),
        ),
        migrations.AddField(
            model_name="deposit",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="deposits", to="identity.hostbankaccount"
            ),
        ),
        migrations.AddField(
            model_name="deposit",
            name="prepared_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="paperpayment",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.hostbankaccount"
            ),
        ),
        migrations.AddField(
            model_name="paperpayment",
            name="deposit",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="papers", to="payments.deposit"
            ),
        ),
        migrations.AddField(
            model_name="paperpayment",
            name="pledge",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="papers", to="pledges.pledge"
            ),
        ),
        migrations.AddField(
            model_name="paperpayment",
            name="recorded_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="payment",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payments.payment"
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="pledge",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="pledges.pledge"
            ),
        ),
        migrations.AddField(
            model_name="surplus",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.hostbankaccount"
            ),
        ),
        migrations.AddField(
            model_name="surplus",
            name="decided_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="surplus",
            name="pledge",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="surpluses", to="pledges.pledge"
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="surplus",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="refund", to="payments.surplus"
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["prepared", "cleared"]), ("total__gt", 0)),
                    models.Q(("state", "undone"), ("total", 0)),
                    _connector="OR",
                ),
                name="deposit_total_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "cleared"), ("line", ""), _connector="XOR"),
                name="deposit_cleared_by_a_line",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.UniqueConstraint(
                condition=models.Q(("line", ""), _negated=True), fields=("line",), name="one_deposit_per_line"
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.UniqueConstraint(fields=("prepared_by", "form_key"), name="one_deposit_per_form"),
        ),
        migrations.AddConstraint(
            model_name="paperpayment",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="paper_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="paperpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("deposit", None), ("state", "received")),
                    models.Q(("deposit__isnull", False), ("state__in", ["deposited", "cleared"])),
                    models.Q(
                        ("returned_on__isnull", False),
                        ("state", "returned"),
                        models.Q(("returned_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="paper_is_where_it_says",
            ),
        ),
        migrations.AddConstraint(
            model_name="paperpayment",
            constraint=models.UniqueConstraint(fields=("recorded_by", "form_key"), name="one_paper_per_form"),
        ),
        migrations.AddConstraint(
            model_name="surplus",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gt", 0),
                    models.Q(
                        models.Q(("state", "waiting"), ("used", 0)),
                        models.Q(
                            ("state__in", ["kept", "refunded", "returned"]),
                            ("used__gte", 0),
                            ("used__lt", models.F("amount")),
                        ),
                        models.Q(("state", "credited"), ("used", models.F("amount"))),
                        _connector="OR",
                    ),
                ),
                name="surplus_used_within_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="surplus",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["waiting", "returned"]),
                    models.Q(("decided_at__isnull", False), ("decided_by__isnull", False)),
                    _connector="OR",
                ),
                name="surplus_decided_by_someone",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment", None), ("surplus__isnull", False)),
                    models.Q(("payment__isnull", False), ("surplus", None)),
                    _connector="OR",
                ),
                name="refund_of_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(fields=("asked_by", "form_key"), name="one_refund_per_form"),
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
