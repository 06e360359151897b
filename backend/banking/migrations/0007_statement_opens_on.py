"""Each statement keeps the day of its opening balance, so that a missing one is found by the chain of balances."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("banking", "0006_lines_of_payouts")]
    operations = [migrations.AddField("statement", "opens_on", models.DateField(null=True))]
