"""Instalments, donors, rhythms, and the pledges made before carried over."""

import datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What awaits money of each pledge follows its instalments, whatever statement writes them.
FOLLOW = """
CREATE FUNCTION pledges_expected_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'DELETE on pledges_instalment is refused: the history of a pledge is kept'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'instalment_is_kept';
    END IF;
    IF TG_OP = 'UPDATE' AND (OLD.pledge_id, OLD.number, OLD.currency) IS DISTINCT FROM
            (NEW.pledge_id, NEW.number, NEW.currency) THEN
        RAISE EXCEPTION 'UPDATE on pledges_instalment is refused: an instalment stays that of its pledge'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'instalment_stays_with_its_pledge';
    END IF;
    UPDATE pledges_pledge SET expected = (
        SELECT COALESCE(sum(amount - received), 0) FROM pledges_instalment
         WHERE pledge_id = NEW.pledge_id AND state IN ('due', 'called', 'pending', 'partly_received', 'failed')
    ) WHERE id = NEW.pledge_id;
    RETURN NULL;
END $$;
CREATE TRIGGER expected_follows AFTER INSERT OR UPDATE OR DELETE ON pledges_instalment
    FOR EACH ROW EXECUTE FUNCTION pledges_expected_follows();
"""
# Pledges made before had no instalments: each was one promise, called the day it was made.
CARRY_OVER = """
UPDATE pledges_pledge SET
    "group" = 'grp_' || substr(id, 5),
    starts_on = (created_at AT TIME ZONE COALESCE((SELECT time_zone FROM identity_host LIMIT 1), 'Europe/Paris'))::date;
INSERT INTO pledges_instalment
    (id, pledge_id, number, due_on, amount, currency, received, state, called_at, reminders, document,
     written_off_reason, created_at)
SELECT 'ins_' || substr(id, 5), id, 1, starts_on, amount, currency, LEAST(received, amount),
    CASE WHEN received >= amount THEN 'received'
         WHEN state = 'cancelled' THEN 'cancelled'
         WHEN received > 0 THEN 'partly_received'
         ELSE 'called' END,
    created_at, 0, '', '', created_at
FROM pledges_pledge;
-- Checked now: indexes are made after this, and no check may wait then.
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    """Gives each pledge its instalments."""

    dependencies = [
        ("commons", "0007_fee"),
        ("identity", "0008_consent"),
        ("pledges", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Donor",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("name_sealed", models.TextField()),
                ("email_sealed", models.TextField()),
                ("email_index", models.CharField(db_index=True, max_length=64)),
                ("language", models.CharField(max_length=5)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Instalment",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("due_on", models.DateField()),
                ("covers_until", models.DateField(null=True)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("received", models.BigIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "to come"),
                            ("called", "called"),
                            ("pending", "on its way"),
                            ("received", "received"),
                            ("partly_received", "partly received"),
                            ("failed", "failed"),
                            ("written_off", "written off"),
                            ("cancelled", "cancelled"),
                        ],
                        default="due",
                        max_length=16,
                    ),
                ),
                ("called_at", models.DateTimeField(null=True)),
                ("reminded_at", models.DateTimeField(null=True)),
                ("reminders", models.PositiveSmallIntegerField(default=0)),
                ("document", models.CharField(blank=True, max_length=48)),
                ("written_off_reason", models.CharField(blank=True, max_length=280)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="pledge",
            name="one_pledge_per_form",
        ),
        migrations.AddField(
            model_name="pledge",
            name="ends_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="pledge",
            name="expected",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="pledge",
            name="group",
            field=models.CharField(db_index=True, default="", max_length=48),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="pledge",
            name="paper",
            field=models.CharField(
                choices=[("call", "call for funds"), ("invoice", "invoice")],
                db_default="call",
                default="call",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="pledge",
            name="pause_reason",
            field=models.CharField(blank=True, db_default="", default="", max_length=280),
        ),
        migrations.AddField(
            model_name="pledge",
            name="paused_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="pledge",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pledges",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="pledge",
            name="pseudonym",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="pledge",
            name="purchase_order",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AddField(
            model_name="pledge",
            name="rhythm",
            field=models.CharField(
                choices=[
                    ("once", "once"),
                    ("monthly", "every month"),
                    ("quarterly", "every three months"),
                    ("yearly", "every year"),
                ],
                db_default="once",
                default="once",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="pledge",
            name="starts_on",
            field=models.DateField(default=datetime.date(2000, 1, 1)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="pledge",
            name="visibility",
            field=models.CharField(
                choices=[
                    ("visible", "with its name"),
                    ("pseudonymous", "under another name"),
                    ("anonymous", "without any name"),
                ],
                db_default="visible",
                default="visible",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="pledge",
            name="made_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AlterField(
            model_name="pledge",
            name="organisation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pledges",
                to="identity.organisation",
            ),
        ),
        migrations.AlterField(
            model_name="pledge",
            name="reference",
            field=models.CharField(db_index=True, max_length=25),
        ),
        migrations.AddField(
            model_name="donor",
            name="claimed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="pledge",
            name="donor",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="pledges", to="pledges.donor"
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("donor", None), ("organisation__isnull", False), ("person", None)),
                    models.Q(("donor", None), ("organisation", None), ("person__isnull", False)),
                    models.Q(("donor__isnull", False), ("organisation", None), ("person", None)),
                    _connector="OR",
                ),
                name="pledge_by_one_payer",
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.CheckConstraint(
                condition=models.Q(("made_by__isnull", False), ("donor__isnull", False), _connector="OR"),
                name="pledge_made_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.CheckConstraint(
                condition=models.Q(("visibility", "pseudonymous"), ("pseudonym", ""), _connector="XOR"),
                name="pledge_pseudonym_when_wanted",
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_on__isnull", True),
                    models.Q(("ends_on__gte", models.F("starts_on")), models.Q(("rhythm", "once"), _negated=True)),
                    _connector="OR",
                ),
                name="pledge_ends_after_it_starts",
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.UniqueConstraint(
                fields=("reference", "budget"), name="one_pledge_per_reference_and_budget"
            ),
        ),
        migrations.AddConstraint(
            model_name="pledge",
            constraint=models.UniqueConstraint(fields=("made_by", "form_key", "budget"), name="one_pledge_per_form"),
        ),
        migrations.AddField(
            model_name="instalment",
            name="pledge",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="instalments", to="pledges.pledge"
            ),
        ),
        migrations.AddField(
            model_name="instalment",
            name="written_off_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="instalment",
            index=models.Index(fields=["state", "due_on"], name="instalment_state_day"),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.UniqueConstraint(fields=("pledge", "number"), name="one_instalment_per_number"),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.UniqueConstraint(fields=("pledge", "due_on"), name="one_instalment_per_period"),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("received__gte", 0), ("received__lte", models.F("amount"))),
                name="instalment_received_within_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "received"), ("received", models.F("amount"))),
                    models.Q(("state", "partly_received"), ("received__gt", 0), ("received__lt", models.F("amount"))),
                    models.Q(("state__in", ["written_off", "cancelled"]), ("received__lt", models.F("amount"))),
                    models.Q(("state__in", ["due", "called", "pending", "failed"]), ("received", 0)),
                    _connector="OR",
                ),
                name="instalment_state_of_what_came",
            ),
        ),
        migrations.AddConstraint(
            model_name="instalment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "written_off"), _negated=True),
                    models.Q(("written_off_by__isnull", False), models.Q(("written_off_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="instalment_written_off_with_reason",
            ),
        ),
        migrations.RunSQL(FOLLOW, migrations.RunSQL.noop),
        migrations.RunSQL(CARRY_OVER, migrations.RunSQL.noop),
    ]
