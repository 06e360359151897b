"""Mail that comes back or is held."""

from django.db import migrations, models
from django.db.models import Q

STATES = [
    ("due", "to send"),
    ("sent", "sent"),
    ("bounced", "sent back"),
    ("given_up", "given up"),
    ("held", "held"),
]


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.AlterField("outgoingmail", "state", models.CharField(choices=STATES, default="due", max_length=8)),
        migrations.AddField("outgoingmail", "bounced_at", models.DateTimeField(null=True)),
        migrations.AddConstraint(
            "outgoingmail",
            models.CheckConstraint(
                name="mail_state_known", condition=Q(state__in=["due", "sent", "bounced", "given_up", "held"])
            ),
        ),
        migrations.AddConstraint(
            "outgoingmail",
            models.CheckConstraint(
                name="mail_bounce_dated", condition=~Q(state="bounced") | Q(bounced_at__isnull=False)
            ),
        ),
        migrations.AddIndex(
            "outgoingmail",
            models.Index(fields=["recipient"], name="mail_bounced", condition=Q(state="bounced")),
        ),
    ]
