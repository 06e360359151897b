"""Holds: a part of a guarded purse set aside, counted by its guard at once, ended once."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

SQL = """
ALTER TABLE ledger_balance ALTER held SET DEFAULT 0;
CREATE FUNCTION ledger_hold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.ledger_hold'::regclass THEN
        RAISE EXCEPTION 'only holds set money aside' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Whoever touches a balance has the poster's side of the lock of closings first: see ledger_begin_postings().
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('tronc.closing', 0));
    UPDATE ledger_balance SET held = held + NEW.amount
     WHERE account_id = NEW.account_id AND currency = NEW.currency AND guarded;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'hold % is on no guarded purse of this currency', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'hold_is_on_a_guarded_purse';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER hold_sets_aside AFTER INSERT ON ledger_hold FOR EACH ROW EXECUTE FUNCTION ledger_hold();

CREATE FUNCTION ledger_end_hold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ended ledger_hold;
BEGIN
    IF TG_RELID <> 'public.ledger_holdend'::regclass THEN
        RAISE EXCEPTION 'only ends of holds give money back' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('tronc.closing', 0));
    SELECT * INTO ended FROM ledger_hold WHERE id = NEW.hold_id;
    IF NOT FOUND OR NEW.captured > ended.amount
       OR NEW.ended_at < ended.made_at OR NEW.ended_at >= '2200-01-01 00:00Z'
       OR (NEW.how = 'expired' AND (ended.expires_at IS NULL OR ended.expires_at > NEW.ended_at)) THEN
        RAISE EXCEPTION 'hold % cannot end so', NEW.hold_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'hold_ends_within_itself';
    END IF;
    UPDATE ledger_balance SET held = held - ended.amount WHERE account_id = ended.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER hold_gives_back AFTER INSERT ON ledger_holdend FOR EACH ROW EXECUTE FUNCTION ledger_end_hold();

-- What is captured is what the entry takes from the purse, seen when the transaction ends: the hold is ended first, so
-- that the guard does not count the same money twice, then the entry is booked.
CREATE FUNCTION ledger_verify_capture() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.entry_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM ledger_hold mine JOIN ledger_account account ON account.id = mine.account_id
         WHERE mine.id = NEW.hold_id
           AND ((SELECT booked_at FROM ledger_journalentry WHERE id = NEW.entry_id) < mine.made_at OR (SELECT coalesce(sum(ends.captured), 0) FROM ledger_holdend ends JOIN ledger_hold other ON other.id = ends.hold_id
                 WHERE ends.entry_id = NEW.entry_id AND other.account_id = mine.account_id)
             > (SELECT coalesce(-sum(posting.amount), 0) * account.normal_side FROM ledger_posting posting
                 WHERE posting.entry_id = NEW.entry_id AND posting.account_id = mine.account_id))
    ) THEN
        RAISE EXCEPTION 'hold % is captured by an entry that does not take so much', NEW.hold_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'capture_is_booked';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER capture_is_booked AFTER INSERT ON ledger_holdend DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_verify_capture();
-- Take the locks that ending holds, and booking the entry that captures them, will need: all at once, in the order of
-- everyone. True while the fact is not booked; the caller then ends the holds and books, in the same transaction.
CREATE FUNCTION ledger_lock_balances(new_scope varchar, new_key varchar, holds varchar[], purses varchar[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('tronc.closing', 0));
    PERFORM 1 FROM ledger_balance balance
      WHERE balance.account_id = ANY (purses)
         OR balance.account_id IN (SELECT account_id FROM ledger_hold WHERE id = ANY (holds))
      ORDER BY balance.account_id FOR UPDATE;
    RETURN NOT EXISTS (SELECT 1 FROM ledger_journalentry WHERE scope = new_scope AND key = new_key);
END $$;
REVOKE EXECUTE ON FUNCTION ledger_lock_balances FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_lock_balances TO tronc_app;
REVOKE EXECUTE ON FUNCTION ledger_hold(), ledger_end_hold(), ledger_verify_capture() FROM PUBLIC, tronc_app;
"""

PER_TABLE = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER {table}_not_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_one_statement")]

    operations = [
        migrations.AddField("balance", "held", models.BigIntegerField(default=0)),
        migrations.RemoveConstraint("balance", "guarded_purse_keeps_its_side"),
        migrations.AddConstraint(
            "balance",
            models.CheckConstraint(
                condition=Q(guarded=False)
                | Q(balance__gte=models.F("held") * models.F("normal_side"), normal_side=1)
                | Q(balance__lte=models.F("held") * models.F("normal_side"), normal_side=-1),
                name="guarded_purse_keeps_its_side",
            ),
        ),
        migrations.AddConstraint(
            "balance", models.CheckConstraint(condition=Q(held__gte=0), name="balance_held_not_negative")
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("scope", models.CharField(max_length=32)),
                ("key", models.CharField(max_length=128)),
                ("reference", models.CharField(db_index=True, max_length=48)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="ledger.account"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("scope", "key"), name="one_fact_one_hold"),
                    models.CheckConstraint(condition=Q(("amount__gte", 1)), name="hold_amount_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="HoldEnd",
            fields=[
                (
                    "hold",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="end",
                        serialize=False,
                        to="ledger.hold",
                    ),
                ),
                (
                    "how",
                    models.CharField(
                        choices=[("captured", "captured"), ("released", "released"), ("expired", "expired")],
                        max_length=8,
                    ),
                ),
                ("captured", models.BigIntegerField(default=0)),
                ("ended_at", models.DateTimeField()),
                (
                    "entry",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="captures",
                        to="ledger.journalentry",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("captured__gte", 1), ("entry__isnull", False), ("how", "captured"))
                        | Q(("captured", 0), ("entry__isnull", True), ("how__in", ["released", "expired"])),
                        name="hold_ends_one_way",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            SQL + "".join(PER_TABLE.format(table=table) for table in ("ledger_hold", "ledger_holdend")),
            migrations.RunSQL.noop,
        ),
    ]
