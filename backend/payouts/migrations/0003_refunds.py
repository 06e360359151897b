"""A payout pays a payee, or a refund."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payees", "0002_booked_names"),
        ("payments", "0004_surpluses_refunds_paper"),
        ("payouts", "0002_freeze"),
    ]

    operations = [
        migrations.CreateModel(
            name="PaidRefund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("live", models.BooleanField(default=True)),
            ],
        ),
        migrations.AddField(
            model_name="payout",
            name="refund",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="payments.refund"
            ),
        ),
        migrations.AlterField(
            model_name="payout",
            name="payee",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="payees.payee"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payee__isnull", False), ("refund", None)),
                    models.Q(("payee", None), ("refund__isnull", False)),
                    _connector="OR",
                ),
                name="payout_to_one",
            ),
        ),
        migrations.AddField(
            model_name="paidrefund",
            name="payout",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payouts.payout"
            ),
        ),
        migrations.AddField(
            model_name="paidrefund",
            name="refund",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="paid_by", to="payments.refund"
            ),
        ),
        migrations.AddConstraint(
            model_name="paidrefund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("live", True)), fields=("refund",), name="refund_paid_once"
            ),
        ),
    ]
