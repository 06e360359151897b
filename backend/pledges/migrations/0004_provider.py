"""Pledges that a provider’s subscription pays, and the invoice behind an instalment."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pledges", "0003_guards2"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="instalment",
            name="invoice",
            field=models.CharField(blank=True, db_default="", db_index=True, default="", max_length=128),
        ),
        migrations.AddField(
            model_name="pledge",
            name="means",
            field=models.CharField(
                choices=[("transfer", "bank transfer"), ("card", "card"), ("sepa_debit", "SEPA debit")],
                db_default="transfer",
                default="transfer",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("invoice", ""), _negated=True),
                fields=("pledge", "invoice"),
                name="one_instalment_per_invoice",
            ),
        ),
    ]
