"""The list of papers begins with the latest: an index in that order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="document",
            index=models.Index(fields=["-issued_at", "-id"], name="document_latest_first"),
        ),
    ]
