"""Lines are split and booked to accounts of the chart, matches are undone, and rules are learnt."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What a line says stays written once; `turn` counts how often what it was matched to was undone, and only grows.
SQL = """
CREATE OR REPLACE FUNCTION banking_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := CASE TG_TABLE_NAME
        WHEN 'banking_bankline' THEN ARRAY['state', 'resembles_id', 'suspense_entry', 'entry', 'matched_by_id',
            'matched_to', 'counterparty_index', 'turn']
        ELSE ARRAY['withdrawn_at', 'withdrawn_by_id', 'withdrawn_reason']
    END;
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free
        OR (TG_TABLE_NAME = 'banking_statement' AND to_jsonb(OLD) ->> 'withdrawn_at' IS NOT NULL
            AND to_jsonb(OLD) IS DISTINCT FROM to_jsonb(NEW))
        OR (TG_TABLE_NAME = 'banking_bankline' AND to_jsonb(OLD) ->> 'state' = 'withdrawn'
            AND to_jsonb(OLD) - 'counterparty_index' IS DISTINCT FROM to_jsonb(NEW) - 'counterparty_index')
        OR (TG_TABLE_NAME = 'banking_bankline'
            AND (to_jsonb(NEW) ->> 'turn')::int < (to_jsonb(OLD) ->> 'turn')::int) THEN
        RAISE EXCEPTION '% on % is refused: what the bank said is written once', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bank_said_so';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION banking_parts_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whole bigint;
    said text;
    parts bigint;
    strange bigint;
BEGIN
    SELECT amount, currency INTO whole, said FROM banking_bankline WHERE id = NEW.line_id;
    SELECT sum(amount), count(*) FILTER (WHERE currency <> said OR sign(amount) <> sign(whole))
        INTO parts, strange FROM banking_linepart WHERE line_id = NEW.line_id AND NOT undone;
    IF parts <> whole OR strange > 0 THEN
        RAISE EXCEPTION 'the parts of line % come to %, it is of %', NEW.line_id, parts, whole
            USING ERRCODE = 'check_violation', CONSTRAINT = 'line_parts_add_up';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER line_parts_add_up AFTER INSERT OR UPDATE ON banking_linepart
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION banking_parts_add_up();

CREATE FUNCTION banking_part_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - 'undone' IS DISTINCT FROM to_jsonb(NEW) - 'undone'
        OR (OLD.undone AND NOT NEW.undone) THEN
        RAISE EXCEPTION '% on % is refused: a part is written once', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'line_part_written_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER line_part_written_once BEFORE UPDATE OR DELETE ON banking_linepart
    FOR EACH ROW EXECUTE FUNCTION banking_part_written_once();
REVOKE DELETE, TRUNCATE ON banking_linepart, banking_matchingrule FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("banking", "0008_withdrawn"),
        ("payments", "0010_restored"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="bankline",
            name="turn",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="LinePart",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("turn", models.PositiveSmallIntegerField()),
                ("place", models.PositiveSmallIntegerField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("number", models.CharField(blank=True, db_default="", default="", max_length=8)),
                ("entry", models.CharField(max_length=48)),
                ("undone", models.BooleanField(db_default=False, default=False)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="banking.bankline"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.payment"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("line", "turn", "place"), name="line_part_once"),
                    models.CheckConstraint(condition=models.Q(("amount", 0), _negated=True), name="line_part_not_zero"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("number", ""), ("payment__isnull", False)),
                            models.Q(("payment", None), models.Q(("number", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="line_part_is_one_thing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MatchingRule",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("words", models.CharField(max_length=200)),
                ("credit", models.BooleanField()),
                ("number", models.CharField(blank=True, db_default="", default="", max_length=8)),
                ("payer", models.CharField(blank=True, db_default="", default="", max_length=48)),
                ("confirmed_at", models.DateTimeField()),
                ("off_at", models.DateTimeField(null=True)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "learnt_from",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="banking.bankline"
                    ),
                ),
                (
                    "off_by",
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
                    models.UniqueConstraint(
                        condition=models.Q(("off_at", None)), fields=("words", "credit"), name="matching_rule_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("words", ""), _negated=True), name="matching_rule_has_words"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payer", ""), models.Q(("number", ""), _negated=True)),
                            models.Q(("number", ""), models.Q(("payer", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="matching_rule_says_one_thing",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
