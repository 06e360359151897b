"""The freeze of payouts: its table, and what may still change in it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
-- A freeze waits for the acts that are leaving, and the acts that come after it see it: they hold the shared side.
CREATE FUNCTION ledger_freeze_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on ledger_freeze is refused: a freeze is lifted, never removed', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'freeze_is_kept';
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('tronc.freeze', 0));
        IF NEW.lifted_at IS NOT NULL OR NEW.lift_asked_at IS NOT NULL THEN
            RAISE EXCEPTION 'a freeze begins in force' USING ERRCODE = 'check_violation', CONSTRAINT = 'freeze_is_kept';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL
       OR (NEW.id, NEW.cause, NEW.reason, NEW.data, NEW.started_at) <> (OLD.id, OLD.cause, OLD.reason, OLD.data, OLD.started_at)
       OR NEW.started_by_id IS DISTINCT FROM OLD.started_by_id THEN
        RAISE EXCEPTION 'only the lifting of a freeze in force is written: %', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'freeze_is_kept';
    END IF;
    IF NEW.lifted_at IS NOT NULL AND (OLD.lift_asked_by_id IS NULL OR NEW.lift_asked_by_id <> OLD.lift_asked_by_id) THEN
        RAISE EXCEPTION 'a freeze is lifted after it was asked: %', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'freeze_lift_takes_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER freeze_is_kept BEFORE INSERT OR UPDATE OR DELETE ON ledger_freeze
    FOR EACH ROW EXECUTE FUNCTION ledger_freeze_guard();
CREATE TRIGGER freeze_is_not_truncated BEFORE TRUNCATE ON ledger_freeze
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_freeze_guard();
REVOKE DELETE, TRUNCATE ON ledger_freeze FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0002_guards"),
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("selfcheck", "a self-check failed"),
                            ("restore", "restored from a backup"),
                            ("manual", "frozen by a person"),
                        ],
                        max_length=12,
                    ),
                ),
                ("reason", models.TextField()),
                ("data", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField()),
                ("lift_asked_at", models.DateTimeField(null=True)),
                ("lift_reason", models.TextField(blank=True)),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lift_data", models.JSONField(default=dict)),
                (
                    "lift_asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lifted_by", None),
                            models.Q(("lifted_by", models.F("lift_asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="freeze_lift_takes_two",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lift_asked_at", None), ("lift_asked_by", None)),
                            models.Q(("lift_asked_at__isnull", False), ("lift_asked_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="freeze_lift_asked_by_someone",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at", None), ("lifted_by", None)),
                            models.Q(
                                ("lift_asked_by__isnull", False),
                                ("lifted_at__isnull", False),
                                ("lifted_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="freeze_lifted_by_someone",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cause__in", ["selfcheck", "restore", "manual"])), name="freeze_cause_known"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)), fields=("cause",), name="one_freeze_per_cause"
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
