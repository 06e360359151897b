"""Whether a person wants keyboard shortcuts of one letter."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0009_papers")]

    operations = [
        migrations.AddField(
            model_name="user", name="shortcuts", field=models.BooleanField(db_default=True, default=True)
        ),
    ]
