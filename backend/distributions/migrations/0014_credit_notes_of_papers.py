"""An invoice drafted here that falls has its credit note, one and no more, which PostgreSQL asks for."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
-- Until now these waited for the next document to end them.
UPDATE distributions_supportingdocument paper SET state = 'cancelled', decided_at = coalesce(paper.decided_at, now())
  FROM distributions_share share
 WHERE share.id = paper.share_id AND share.state IN ('owed', 'waived') AND paper.state IN ('sent', 'accepted');

CREATE OR REPLACE FUNCTION distributions_paper_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    share record;
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on % is refused: supporting documents are kept', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'paper_is_kept';
    END IF;
    SELECT one.state, one.payee_id, one.contributor_id, one.amount - one.waived AS due,
           distribution.state AS booked, distribution.currency, distribution.inputs
      INTO share
      FROM distributions_share one JOIN distributions_distribution distribution ON distribution.id = one.distribution_id
     WHERE one.id = NEW.share_id;
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.id, OLD.share_id, OLD.payee_id, OLD.kind, OLD.number, OLD.dated_on, OLD.total, OLD.currency,
                OLD.body_sealed, OLD.file_sealed, OLD.media, OLD.sha256, OLD.made_by_id, OLD.made_at, OLD.corrects_id)
            IS DISTINCT FROM (NEW.id, NEW.share_id, NEW.payee_id, NEW.kind, NEW.number, NEW.dated_on, NEW.total,
                NEW.currency, NEW.body_sealed, NEW.file_sealed, NEW.media, NEW.sha256, NEW.made_by_id, NEW.made_at,
                NEW.corrects_id)
            OR (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN
                (('sent', 'accepted'), ('sent', 'refused'), ('sent', 'cancelled'), ('accepted', 'cancelled')))
            OR (OLD.state <> 'sent' AND OLD.state = NEW.state)
            OR (OLD.state = 'accepted' AND share.state IN ('batched', 'paid', 'returned')) THEN
            RAISE EXCEPTION 'supporting document % is final', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'paper_is_final';
        END IF;
    ELSIF NEW.kind = 'credit' THEN
        IF share.state NOT IN ('owed', 'waived') OR NOT EXISTS (
            SELECT FROM distributions_supportingdocument invoice
             WHERE invoice.id = NEW.corrects_id AND invoice.kind = 'drafted' AND invoice.state = 'cancelled'
               AND (invoice.share_id, invoice.payee_id, invoice.total, invoice.currency)
                 = (NEW.share_id, NEW.payee_id, NEW.total, NEW.currency)) THEN
            RAISE EXCEPTION 'supporting document %: a credit note is of all of an invoice that fell', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_note_of_what_fell';
        END IF;
    ELSIF share.state <> 'owed' OR share.booked <> 'booked' OR NEW.payee_id <> share.payee_id
            OR NEW.currency <> share.currency OR NEW.total <> share.due OR NEW.state NOT IN ('sent', 'accepted')
            OR (NEW.state = 'accepted' AND NEW.kind = 'uploaded') THEN
        RAISE EXCEPTION 'supporting document %: it is of what is owed, to whom it is owed', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paper_of_what_is_owed';
    END IF;
    IF NEW.kind <> 'receipts' AND NEW.made_by_id <> share.contributor_id THEN
        RAISE EXCEPTION 'supporting document %: its contributor hands it over', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'paper_of_its_contributor';
    END IF;
    IF NEW.kind = 'receipts' AND TG_OP = 'INSERT' AND (
        NOT EXISTS (SELECT FROM jsonb_array_elements(share.inputs -> 'lines') line
                     WHERE line ->> 'person' = share.contributor_id)
        OR EXISTS (
            SELECT FROM jsonb_array_elements(share.inputs -> 'lines') line
              LEFT JOIN contributions_contribution work ON work.id = line ->> 'contribution'
             WHERE line ->> 'person' = share.contributor_id
               AND (work.kind IS DISTINCT FROM 'expense' OR jsonb_array_length(work.evidence) = 0))
    ) THEN
        RAISE EXCEPTION 'supporting document %: receipts stand for expenses alone, each with its own', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'receipts_of_expenses';
    END IF;
    RETURN NEW;
END $$;

-- Looked at when the transaction ends.
CREATE FUNCTION distributions_paper_credited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM distributions_supportingdocument note WHERE note.corrects_id = NEW.id) THEN
        RAISE EXCEPTION 'supporting document %: an invoice drafted here falls with its credit note', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_falls_with_its_credit_note';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER paper_credited AFTER UPDATE ON distributions_supportingdocument
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.kind = 'drafted' AND NEW.state = 'cancelled' AND OLD.state <> 'cancelled')
    EXECUTE FUNCTION distributions_paper_credited();

CREATE FUNCTION distributions_papers_fall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM distributions_share share JOIN distributions_supportingdocument paper
                   ON paper.share_id = share.id AND paper.state IN ('sent', 'accepted')
                WHERE share.id = NEW.id AND share.state IN ('owed', 'waived')) THEN
        RAISE EXCEPTION 'share %: what was handed over for it no longer holds', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'papers_fall_with_their_share';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER papers_fall AFTER UPDATE ON distributions_share
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state IN ('owed', 'waived') AND OLD.state NOT IN ('owed', 'waived'))
    EXECUTE FUNCTION distributions_papers_fall();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0013_waivers_counted"),
        ("payees", "0005_mandates"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="supportingdocument",
            name="one_paper_of_a_number",
        ),
        migrations.AddField(
            model_name="supportingdocument",
            name="corrects",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_note",
                to="distributions.supportingdocument",
            ),
        ),
        migrations.AlterField(
            model_name="supportingdocument",
            name="kind",
            field=models.CharField(
                choices=[
                    ("drafted", "invoice drafted here, approved by the payee"),
                    ("uploaded", "handed over by the payee"),
                    ("receipts", "receipts of expenses"),
                    ("credit", "credit note drafted here"),
                ],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="supportingdocument",
            name="state",
            field=models.CharField(
                choices=[
                    ("sent", "to be checked"),
                    ("accepted", "accepted"),
                    ("refused", "refused"),
                    ("cancelled", "no longer holds"),
                    ("issued", "issued"),
                ],
                max_length=9,
            ),
        ),
        migrations.AddConstraint(
            model_name="supportingdocument",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("kind__in", ["drafted", "credit"]),
                    models.Q(("kind", "uploaded"), ("state__in", ["sent", "accepted"])),
                    _connector="OR",
                ),
                fields=("payee", "number"),
                name="one_paper_of_a_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="supportingdocument",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("corrects__isnull", False), ("kind", "credit"), ("state", "issued")),
                    models.Q(
                        models.Q(("kind", "credit"), _negated=True),
                        models.Q(("state", "issued"), _negated=True),
                        ("corrects", None),
                    ),
                    _connector="OR",
                ),
                name="credit_note_corrects_an_invoice",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
