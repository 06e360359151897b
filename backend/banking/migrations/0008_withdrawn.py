"""An import can be undone as a whole: its statements and lines stay, said to be withdrawn, and may be imported again."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

STATES = [
    ("new", "just imported"),
    ("suspect", "perhaps known already"),
    ("suggested", "to identify"),
    ("matched", "matched"),
    ("booked", "booked"),
    ("duplicate", "duplicate"),
    ("withdrawn", "import undone"),
]

SQL = """
CREATE OR REPLACE FUNCTION banking_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := CASE TG_TABLE_NAME
        WHEN 'banking_bankline' THEN ARRAY['state', 'resembles_id', 'suspense_entry', 'entry', 'matched_by_id',
            'matched_to', 'counterparty_index']
        ELSE ARRAY['withdrawn_at', 'withdrawn_by_id', 'withdrawn_reason']
    END;
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free
        OR (TG_TABLE_NAME = 'banking_statement' AND to_jsonb(OLD) ->> 'withdrawn_at' IS NOT NULL
            AND to_jsonb(OLD) IS DISTINCT FROM to_jsonb(NEW))
        OR (TG_TABLE_NAME = 'banking_bankline' AND to_jsonb(OLD) ->> 'state' = 'withdrawn'
            AND to_jsonb(OLD) - 'counterparty_index' IS DISTINCT FROM to_jsonb(NEW) - 'counterparty_index') THEN
        RAISE EXCEPTION '% on % is refused: what the bank said is written once', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bank_said_so';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("banking", "0007_statement_opens_on"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("statement", "withdrawn_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "statement",
            "withdrawn_by",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            "statement",
            "withdrawn_reason",
            models.CharField(blank=True, db_default="", default="", max_length=280),
        ),
        migrations.AlterField("bankline", "state", models.CharField(choices=STATES, default="new", max_length=12)),
        migrations.RemoveConstraint("statement", "statement_once"),
        migrations.AddConstraint(
            "statement",
            models.UniqueConstraint(
                fields=["account", "fingerprint"], condition=Q(withdrawn_at=None), name="statement_once"
            ),
        ),
        migrations.AddConstraint(
            "statement",
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False),
                name="statement_withdrawn_by_somebody",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
