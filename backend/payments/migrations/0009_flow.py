"""What an event is about in a word; when a payment page was last looked at, and a subscription last read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_money")]
    operations = [
        migrations.AddField(
            "notice", "thing", models.CharField(max_length=16, default="nothing"), preserve_default=False
        ),
        migrations.AddField("subscription", "read_at", models.DateTimeField(null=True)),
        migrations.AddField("checkout", "synced_at", models.DateTimeField(null=True)),
    ]
