"""Numbered papers and how far their series went: added to, never changed, without a gap."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
-- A paper is never changed nor removed, whoever asks; what it says of a person goes with its own key alone.
CREATE FUNCTION documents_document_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.number IS DISTINCT FROM (
            SELECT last + 1 FROM documents_documentseries WHERE kind = NEW.kind AND year = NEW.year
        ) THEN
            RAISE EXCEPTION 'a paper takes the next number of its series: % % %', NEW.kind, NEW.year, NEW.number
                USING ERRCODE = 'check_violation', CONSTRAINT = 'document_takes_the_next_number';
        END IF;
        IF EXISTS (
            SELECT FROM documents_document
             WHERE kind = NEW.kind AND year = NEW.year AND number = NEW.number - 1 AND issued_on > NEW.issued_on
        ) THEN
            RAISE EXCEPTION 'a paper is not issued on a day before the one with the number before'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'document_is_chronological';
        END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on documents_document is refused: an issued paper is kept as it is', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'document_is_kept';
END $$;
CREATE TRIGGER document_is_kept BEFORE INSERT OR UPDATE OR DELETE ON documents_document
    FOR EACH ROW EXECUTE FUNCTION documents_document_guard();
CREATE TRIGGER documents_are_not_truncated BEFORE TRUNCATE ON documents_document
    FOR EACH STATEMENT EXECUTE FUNCTION documents_document_guard();
-- A series goes on by one, once the paper of that number is written, and never back.
CREATE FUNCTION documents_series_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.last = 0 THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.kind, NEW.year, NEW.last) = (OLD.id, OLD.kind, OLD.year, OLD.last + 1)
        AND EXISTS (SELECT FROM documents_document
                     WHERE kind = NEW.kind AND year = NEW.year AND number = NEW.last) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on documents_documentseries is refused: a series goes on by one issued paper', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'series_goes_on_by_one';
END $$;
CREATE TRIGGER series_goes_on_by_one BEFORE INSERT OR UPDATE OR DELETE ON documents_documentseries
    FOR EACH ROW EXECUTE FUNCTION documents_series_guard();
CREATE TRIGGER series_are_not_truncated BEFORE TRUNCATE ON documents_documentseries
    FOR EACH STATEMENT EXECUTE FUNCTION documents_series_guard();
REVOKE UPDATE, DELETE, TRUNCATE ON documents_document FROM tronc_app;
REVOKE DELETE, TRUNCATE ON documents_documentseries FROM tronc_app;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0009_papers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DocumentSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=12)),
                ("year", models.PositiveSmallIntegerField()),
                ("last", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("kind", "year"), name="one_series_of_a_kind_and_year")],
            },
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("call", "call for funds"),
                            ("invoice", "invoice"),
                            ("credit_note", "credit note"),
                            ("certificate", "payment certificate"),
                            ("yearly", "yearly statement"),
                        ],
                        max_length=12,
                    ),
                ),
                ("year", models.PositiveSmallIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("label", models.CharField(max_length=24, unique=True)),
                ("key", models.CharField(max_length=160, unique=True)),
                ("subject", models.CharField(db_index=True, max_length=48)),
                ("language", models.CharField(max_length=2)),
                ("currency", models.CharField(max_length=3)),
                ("total", models.BigIntegerField()),
                ("due_on", models.DateField(null=True)),
                ("body_sealed", models.TextField()),
                ("pdf_sealed", models.TextField()),
                ("sha256", models.CharField(max_length=64)),
                ("issued_on", models.DateField()),
                ("issued_at", models.DateTimeField()),
                (
                    "corrects",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="correction",
                        to="documents.document",
                    ),
                ),
                (
                    "issued_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to="identity.organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "year", "number"), name="one_document_of_a_number"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["call", "invoice", "credit_note", "certificate", "yearly"])),
                        name="document_kind_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="document_number_from_one"),
                    models.CheckConstraint(condition=models.Q(("total__gte", 0)), name="document_total_not_negative"),
                    models.CheckConstraint(
                        condition=models.Q(("language__in", ["fr", "en"])), name="document_language_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("organisation", None), ("person", None), _connector="OR"),
                        name="document_of_one_addressee",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("corrects__isnull", False), ("kind", "credit_note")),
                            models.Q(models.Q(("kind", "credit_note"), _negated=True), ("corrects", None)),
                            _connector="OR",
                        ),
                        name="document_credit_note_corrects",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("body_sealed", ""), _negated=True),
                            models.Q(("pdf_sealed", ""), _negated=True),
                            models.Q(("sha256", ""), _negated=True),
                        ),
                        name="document_is_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
