"""What was given too much, kept back from later work: agreed by somebody else, taken once, never below zero."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
CREATE OR REPLACE FUNCTION contributions_amended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version = OLD.version + 1 AND OLD.state IN ('declared', 'questioned') THEN
        RETURN NEW;
    END IF;
    IF NEW.version = OLD.version AND NEW.waived >= OLD.waived
            AND NEW.amount + NEW.waived + NEW.held_back = OLD.amount + OLD.waived + OLD.held_back
            AND NEW.held_back >= OLD.held_back AND NEW.minutes_held >= OLD.minutes_held
            AND (OLD.state = 'validated'
                 OR (NEW.held_back, NEW.minutes_held) IS NOT DISTINCT FROM (OLD.held_back, OLD.minutes_held))
            AND (OLD.worked_on, OLD.kind, OLD.minutes, OLD.currency, OLD.budget_id)
                IS NOT DISTINCT FROM (NEW.worked_on, NEW.kind, NEW.minutes, NEW.currency, NEW.budget_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contribution %: what was declared changes by an amendment', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_amended_as_a_version';
END $$;
DROP TRIGGER contribution_amended ON contributions_contribution;
CREATE TRIGGER contribution_amended BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'included', 'settled')
        AND (OLD.worked_on, OLD.kind, OLD.minutes, OLD.amount, OLD.waived, OLD.currency, OLD.budget_id, OLD.version,
             OLD.held_back, OLD.minutes_held)
            IS DISTINCT FROM (NEW.worked_on, NEW.kind, NEW.minutes, NEW.amount, NEW.waived, NEW.currency, NEW.budget_id,
                              NEW.version, NEW.held_back, NEW.minutes_held))
    EXECUTE FUNCTION contributions_amended();

ALTER TABLE contributions_adjustment ADD CONSTRAINT adjustment_of_its_contributor
    FOREIGN KEY (contribution_id, contributor_id) REFERENCES contributions_contribution (id, contributor_id);
-- Decided once; what is left only shrinks, once it is agreed.
CREATE FUNCTION contributions_adjusted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state = NEW.state OR OLD.state = 'proposed')
            AND NEW.minutes_left <= OLD.minutes_left AND NEW.amount_left <= OLD.amount_left
            AND (OLD.state = 'agreed'
                 OR (NEW.minutes_left, NEW.amount_left) IS NOT DISTINCT FROM (OLD.minutes_left, OLD.amount_left))
            AND (OLD.decided_by_id IS NULL OR OLD.decided_by_id = NEW.decided_by_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'adjustment % is %', OLD.id, OLD.state
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'adjustment_decided_once';
END $$;
CREATE TRIGGER adjustment_decided_once BEFORE UPDATE ON contributions_adjustment
    FOR EACH ROW EXECUTE FUNCTION contributions_adjusted();
REVOKE UPDATE, DELETE, TRUNCATE ON contributions_adjustment, contributions_adjustmentpart FROM tronc_app;
GRANT UPDATE (state, decided_by_id, decided_at, decision, reason, minutes_left, amount_left)
    ON contributions_adjustment TO tronc_app;
"""


class Migration(migrations.Migration):
    """Two tables, two columns beside what is asked, and their guards."""

    dependencies = [
        ("commons", "0008_provider"),
        ("contributions", "0012_corrections"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("minutes", models.PositiveIntegerField(default=0)),
                ("amount", models.BigIntegerField(default=0)),
                ("minutes_left", models.PositiveIntegerField(default=0)),
                ("amount_left", models.BigIntegerField(default=0)),
                ("reason", models.CharField(max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "awaiting a decision"),
                            ("agreed", "agreed"),
                            ("refused", "refused"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="proposed",
                        max_length=9,
                    ),
                ),
                ("decision", models.CharField(blank=True, max_length=500)),
                ("decided_at", models.DateTimeField(null=True)),
                ("form_key", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="AdjustmentPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("minutes", models.PositiveIntegerField(default=0)),
                ("amount", models.BigIntegerField(default=0)),
                ("applied_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="contribution",
            name="held_back",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="contribution",
            name="minutes_held",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="contribution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("held_back", 0), ("minutes_held", 0)),
                    models.Q(
                        ("held_back__gte", 0),
                        ("minutes_held__lte", models.F("minutes")),
                        ("state__in", ["validated", "included", "settled"]),
                    ),
                    _connector="OR",
                ),
                name="contribution_held_back_when_shared",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="contribution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="contributions.contribution"
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="contributor",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="decided_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="proposed_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="adjustmentpart",
            name="adjustment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="contributions.adjustment"
            ),
        ),
        migrations.AddField(
            model_name="adjustmentpart",
            name="contribution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="kept_back", to="contributions.contribution"
            ),
        ),
        migrations.AddIndex(
            model_name="adjustment",
            index=models.Index(
                condition=models.Q(
                    ("state", "agreed"), models.Q(("minutes_left__gt", 0), ("amount_left__gt", 0), _connector="OR")
                ),
                fields=["contributor"],
                name="adjustment_to_keep_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("amount", 0), ("minutes__gt", 0)),
                        models.Q(("amount__gt", 0), ("minutes", 0)),
                        _connector="OR",
                    ),
                    ("amount_left__gte", 0),
                    ("amount_left__lte", models.F("amount")),
                    ("minutes_left__lte", models.F("minutes")),
                ),
                name="adjustment_of_one_unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_by", None),
                    models.Q(
                        ("decided_by", models.F("proposed_by")),
                        ("decided_by", models.F("contributor")),
                        _connector="OR",
                        _negated=True,
                    ),
                    _connector="OR",
                ),
                name="adjustment_decided_by_somebody_else",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["agreed", "refused"]), _negated=True),
                    models.Q(("decided_at__isnull", False), ("decided_by__isnull", False)),
                    _connector="OR",
                ),
                name="adjustment_decided_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="adjustment_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "proposed")), fields=("contribution",), name="one_adjustment_proposed"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.UniqueConstraint(fields=("proposed_by", "form_key"), name="one_adjustment_per_form"),
        ),
        migrations.AddConstraint(
            model_name="adjustmentpart",
            constraint=models.UniqueConstraint(
                fields=("adjustment", "contribution"), name="adjustment_once_per_contribution"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustmentpart",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount", 0), ("minutes__gt", 0)),
                    models.Q(("amount__gt", 0), ("minutes", 0)),
                    _connector="OR",
                ),
                name="adjustment_part_of_one_unit",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
