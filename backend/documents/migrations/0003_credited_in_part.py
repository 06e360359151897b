"""Credit notes of a part of an invoice; certificates that take the place of another; labels that are their number."""

import django.db.models.deletion
from django.db import migrations, models

SQL = """
-- What a paper is called is its kind, its year and its number; its year is that of its day.
CREATE FUNCTION documents_label_of(kind text, year integer, number integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind WHEN 'call' THEN 'AF' WHEN 'invoice' THEN 'F' WHEN 'credit_note' THEN 'AV'
                     WHEN 'certificate' THEN 'AT' WHEN 'yearly' THEN 'RA' END
        || '-' || year || '-' || lpad(number::text, greatest(4, length(number::text)), '0')
$$;
ALTER TABLE documents_document
    ADD CONSTRAINT document_label_is_its_number CHECK (label = documents_label_of(kind, year, number)),
    ADD CONSTRAINT document_year_is_that_of_its_day CHECK (year = date_part('year', issued_on));
-- Credit notes never cancel more than their invoice asked for; the invoice is held, so that two do not together.
CREATE FUNCTION documents_credit_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    asked documents_document;
    credited bigint;
BEGIN
    IF NEW.corrects_id IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('documents.credit:' || NEW.corrects_id, 0));
    SELECT * INTO asked FROM documents_document WHERE id = NEW.corrects_id;
    SELECT COALESCE(sum(total), 0) INTO credited FROM documents_document WHERE corrects_id = NEW.corrects_id;
    IF asked.kind <> 'invoice' OR asked.currency <> NEW.currency OR credited + NEW.total > asked.total THEN
        RAISE EXCEPTION 'credit notes of % come to more than it asked for', asked.label
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_within_its_invoice';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER credit_within_its_invoice BEFORE INSERT ON documents_document
    FOR EACH ROW EXECUTE FUNCTION documents_credit_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("documents", "0002_latest_first")]

    operations = [
        migrations.AlterField(
            model_name="document",
            name="corrects",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="corrections",
                to="documents.document",
            ),
        ),
        migrations.AddField(
            model_name="document",
            name="replaces",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="documents.document",
            ),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.CheckConstraint(
                condition=models.Q(("replaces", None), ("kind", "certificate"), _connector="OR"),
                name="document_certificate_replaces",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
