"""A refund that restored books did not know as decided is told by the provider; a payer is forgotten there."""

from django.db import migrations, models
from django.db.models import Q

KINDS = [
    ("checkout", "open a payment page"),
    ("expire", "close a payment page"),
    ("refund", "give a payment back"),
    ("pause", "pause a subscription"),
    ("resume", "resume a subscription"),
    ("cancel", "end a subscription"),
    ("forget", "forget a payer"),
]


class Migration(migrations.Migration):
    dependencies = [("payments", "0009_flow")]
    operations = [
        migrations.AlterField("operation", "kind", models.CharField(choices=KINDS, max_length=12)),
        migrations.RemoveConstraint("providerrefund", "provider_refund_decided_by_someone"),
        migrations.AddConstraint(
            "providerrefund",
            models.CheckConstraint(
                condition=Q(state="asked", decided_by=None)
                | Q(decided_by__isnull=False, decided_at__isnull=False)
                | (Q(state__in=["approved", "done", "failed"], decided_by=None) & ~Q(remote_id="")),
                name="provider_refund_decided_by_someone",
            ),
        ),
    ]
