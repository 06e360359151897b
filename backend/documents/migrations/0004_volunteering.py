"""Certificates of volunteer time."""

from django.conf import settings
from django.db import migrations, models

SQL = """
CREATE OR REPLACE FUNCTION documents_label_of(kind text, year integer, number integer) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind WHEN 'call' THEN 'AF' WHEN 'invoice' THEN 'F' WHEN 'credit_note' THEN 'AV'
                     WHEN 'certificate' THEN 'AT' WHEN 'yearly' THEN 'RA' WHEN 'time' THEN 'BV' END
        || '-' || year || '-' || lpad(number::text, greatest(4, length(number::text)), '0')
$$;
"""


class Migration(migrations.Migration):
    """Another kind of paper, with its prefix."""

    dependencies = [
        ("documents", "0003_credited_in_part"),
        ("identity", "0009_papers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="document",
            name="document_kind_known",
        ),
        migrations.AlterField(
            model_name="document",
            name="kind",
            field=models.CharField(
                choices=[
                    ("call", "call for funds"),
                    ("invoice", "invoice"),
                    ("credit_note", "credit note"),
                    ("certificate", "payment certificate"),
                    ("yearly", "yearly statement"),
                    ("time", "certificate of volunteer time"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["call", "invoice", "credit_note", "certificate", "yearly", "time"])),
                name="document_kind_known",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
