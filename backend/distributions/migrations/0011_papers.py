"""The supporting documents of shares; PostgreSQL keeps them, and lets nothing be paid without one."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
CREATE FUNCTION distributions_paper_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
                OLD.body_sealed, OLD.file_sealed, OLD.media, OLD.sha256, OLD.made_by_id, OLD.made_at)
            IS DISTINCT FROM (NEW.id, NEW.share_id, NEW.payee_id, NEW.kind, NEW.number, NEW.dated_on, NEW.total,
                NEW.currency, NEW.body_sealed, NEW.file_sealed, NEW.media, NEW.sha256, NEW.made_by_id, NEW.made_at)
            OR (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN
                (('sent', 'accepted'), ('sent', 'refused'), ('sent', 'cancelled'), ('accepted', 'cancelled')))
            OR (OLD.state <> 'sent' AND OLD.state = NEW.state)
            OR (OLD.state = 'accepted' AND share.state IN ('batched', 'paid', 'returned')) THEN
            RAISE EXCEPTION 'supporting document % is final', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'paper_is_final';
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
CREATE TRIGGER paper_guard BEFORE INSERT OR UPDATE OR DELETE ON distributions_supportingdocument
    FOR EACH ROW EXECUTE FUNCTION distributions_paper_guard();
CREATE TRIGGER papers_are_kept BEFORE TRUNCATE ON distributions_supportingdocument
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_paper_guard();
REVOKE DELETE, TRUNCATE ON distributions_supportingdocument FROM tronc_app;

-- Nothing becomes payable without the document of exactly what is due to exactly who is paid.
CREATE FUNCTION distributions_share_documented() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM distributions_supportingdocument paper
                    WHERE paper.share_id = NEW.id AND paper.payee_id = NEW.payee_id AND paper.state = 'accepted'
                      AND paper.total = NEW.amount - NEW.waived) THEN
        RAISE EXCEPTION 'share %: it is paid with an accepted supporting document', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'share_paid_with_a_document';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_paid_with_a_document BEFORE UPDATE OF state ON distributions_share
    FOR EACH ROW WHEN (NEW.state = 'payable' AND OLD.state IN ('owed', 'documented'))
    EXECUTE FUNCTION distributions_share_documented();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0010_payee_of_a_share"),
        ("payees", "0005_mandates"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SupportingDocument",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("drafted", "invoice drafted here, approved by the payee"),
                            ("uploaded", "handed over by the payee"),
                            ("receipts", "receipts of expenses"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sent", "to be checked"),
                            ("accepted", "accepted"),
                            ("refused", "refused"),
                            ("cancelled", "no longer holds"),
                        ],
                        max_length=9,
                    ),
                ),
                ("number", models.CharField(blank=True, max_length=40)),
                ("dated_on", models.DateField()),
                ("total", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("body_sealed", models.TextField(blank=True)),
                ("file_sealed", models.TextField(blank=True)),
                ("media", models.CharField(blank=True, max_length=20)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("made_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=280)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="papers_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "payee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="papers", to="payees.payee"
                    ),
                ),
                (
                    "share",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="papers", to="distributions.share"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["sent", "accepted"])),
                        fields=("share",),
                        name="one_live_paper_of_a_share",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("kind", "drafted"),
                            models.Q(("kind", "uploaded"), ("state__in", ["sent", "accepted"])),
                            _connector="OR",
                        ),
                        fields=("payee", "number"),
                        name="one_paper_of_a_number",
                    ),
                    models.CheckConstraint(condition=models.Q(("total__gt", 0)), name="paper_total_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "receipts"),
                            models.Q(
                                models.Q(("number", ""), _negated=True),
                                models.Q(("file_sealed", ""), _negated=True),
                                models.Q(("sha256", ""), _negated=True),
                                ("made_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="paper_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at", None), ("decided_by", None), ("state", "sent")),
                            models.Q(models.Q(("state", "sent"), _negated=True), ("decided_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="paper_decided_at_some_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "uploaded"), ("state", "accepted"), _negated=True),
                            models.Q(
                                ("decided_by__isnull", False),
                                models.Q(("decided_by", models.F("made_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="received_paper_takes_two",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "refused"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="refused_paper_has_a_reason",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
