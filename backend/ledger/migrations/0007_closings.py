"""Accounting months: locked and unlocked by two people, in order; each keeps what the purses held."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

SQL = """
ALTER TABLE ledger_closing ADD CONSTRAINT closing_of_one_month CHECK (ends_before = (first_day + interval '1 month')::date);
ALTER TABLE ledger_closing ADD CONSTRAINT closing_steps_in_order
    CHECK (asked_at > '1900-01-01 00:00Z' AND locked_at >= asked_at AND unlocked_at >= locked_at AND unlocked_at < '2200-01-01 00:00Z');
CREATE INDEX closing_in_force ON ledger_closing (ends_before) WHERE locked_at IS NOT NULL AND unlocked_at IS NULL;
CREATE FUNCTION ledger_closing_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    last_end date;
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on ledger_closing is refused: a month is unlocked, never removed', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'closing_is_kept';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.locked_at IS NOT NULL OR NEW.unlock_asked_at IS NOT NULL OR NEW.unlocked_at IS NOT NULL OR NEW.withdrawn_at IS NOT NULL THEN
            RAISE EXCEPTION 'a closing begins by being asked' USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_is_kept';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.first_day, NEW.ends_before, NEW.asked_by_id, NEW.asked_at)
       <> (OLD.id, OLD.first_day, OLD.ends_before, OLD.asked_by_id, OLD.asked_at)
       OR OLD.unlocked_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL
       OR (OLD.locked_at IS NOT NULL AND (NEW.locked_at, NEW.locked_by_id) IS DISTINCT FROM (OLD.locked_at, OLD.locked_by_id))
       OR (OLD.locked_at IS NOT NULL AND NEW.last_posting IS DISTINCT FROM OLD.last_posting)
       OR (OLD.locked_at IS NOT NULL AND NEW.withdrawn_at IS NOT NULL)
       OR (OLD.locked_at IS NULL AND (NEW.unlock_asked_at IS NOT NULL OR NEW.unlocked_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'only the next step of a closing is written: %', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'closing_is_kept';
    END IF;
    IF NEW.locked_at IS NOT NULL AND OLD.locked_at IS NULL THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'months are locked in READ COMMITTED'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'booked_in_read_committed';
        END IF;
        -- Waits for all who post; those who come next wait for the end of this transaction.
        PERFORM pg_advisory_xact_lock(hashtextextended('tronc.closing', 0));
        SELECT max(ends_before) INTO last_end FROM ledger_closing WHERE locked_at IS NOT NULL AND unlocked_at IS NULL;
        IF last_end IS NOT NULL AND NEW.first_day <> last_end THEN
            RAISE EXCEPTION 'months are locked in order: % comes next', last_end
                USING ERRCODE = 'check_violation', CONSTRAINT = 'months_lock_in_order';
        END IF;
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO NEW.last_posting FROM ledger_posting_id_seq;
    END IF;
    IF NEW.unlocked_at IS NOT NULL THEN
        IF OLD.unlock_asked_by_id IS NULL OR NEW.unlock_asked_by_id <> OLD.unlock_asked_by_id THEN
            RAISE EXCEPTION 'a month is unlocked after it was asked: %', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'closing_unlock_takes_two';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('tronc.closing', 0));
        IF EXISTS (SELECT 1 FROM ledger_closing
                    WHERE locked_at IS NOT NULL AND unlocked_at IS NULL AND first_day > NEW.first_day) THEN
            RAISE EXCEPTION 'the last locked month is unlocked first'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'months_lock_in_order';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_is_kept BEFORE INSERT OR UPDATE OR DELETE ON ledger_closing
    FOR EACH ROW EXECUTE FUNCTION ledger_closing_guard();
CREATE TRIGGER closing_is_not_truncated BEFORE TRUNCATE ON ledger_closing
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_closing_guard();

-- What each purse that moved since the month before held: by day at the end of the month, and all that was booked when
-- it was locked.
CREATE FUNCTION ledger_close_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before ledger_closing;
BEGIN
    IF TG_RELID <> 'public.ledger_closing'::regclass THEN
        RAISE EXCEPTION 'only closings keep balances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO before FROM ledger_closing
     WHERE locked_at IS NOT NULL AND unlocked_at IS NULL AND first_day < NEW.first_day ORDER BY first_day DESC LIMIT 1;
    INSERT INTO ledger_closingbalance (closing_id, account_id, ends_before, balance, booked)
    SELECT NEW.id, moved.account_id, NEW.ends_before, coalesce(kept.balance, 0) + moved.amount, held.balance
      FROM (SELECT account_id, coalesce(sum(amount) FILTER (WHERE happened_on < NEW.ends_before), 0)::bigint AS amount
              FROM ledger_posting
             WHERE happened_on >= coalesce(before.ends_before, '-infinity'::date)
               AND (happened_on < NEW.ends_before OR id > coalesce(before.last_posting, 0))
             GROUP BY account_id) moved
      JOIN ledger_balance held ON held.account_id = moved.account_id
      LEFT JOIN LATERAL (
            SELECT past.balance FROM ledger_closingbalance past JOIN ledger_closing closing ON closing.id = past.closing_id
             WHERE past.account_id = moved.account_id AND past.ends_before < NEW.ends_before AND closing.unlocked_at IS NULL
             ORDER BY past.ends_before DESC LIMIT 1) kept ON true;
    RETURN NULL;
END $$;
CREATE TRIGGER closing_keeps_balances AFTER UPDATE ON ledger_closing FOR EACH ROW
    WHEN (OLD.locked_at IS NULL AND NEW.locked_at IS NOT NULL) EXECUTE FUNCTION ledger_close_balances();
REVOKE EXECUTE ON FUNCTION ledger_close_balances() FROM PUBLIC, tronc_app;
-- Past balances, debits positive: what the last locked month kept, and the lines of the months since.
-- By the day on which it happened; `last` stops within the day, after the line of that number.
CREATE FUNCTION ledger_balance_on(purse varchar, day date, last bigint DEFAULT 9223372036854775807) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    open_from date;
    kept bigint;
BEGIN
    SELECT max(ends_before) INTO open_from FROM ledger_closing
     WHERE locked_at IS NOT NULL AND unlocked_at IS NULL
       AND ends_before <= CASE WHEN last = 9223372036854775807 THEN day + 1 ELSE day END;
    SELECT old.balance INTO kept FROM ledger_closingbalance old JOIN ledger_closing closing ON closing.id = old.closing_id
     WHERE old.account_id = purse AND old.ends_before <= open_from AND closing.unlocked_at IS NULL
     ORDER BY old.ends_before DESC LIMIT 1;
    RETURN coalesce(kept, 0) + coalesce((
        SELECT sum(amount) FROM ledger_posting
         WHERE account_id = purse AND happened_on >= coalesce(open_from, '-infinity'::date) AND (happened_on, id) <= (day, last)), 0);
END $$;
-- By what was booked at a moment. Lines booked after a month was locked are of later days, as long as it stays locked.
CREATE FUNCTION ledger_balance_known(purse varchar, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    closed ledger_closing;
    kept bigint;
BEGIN
    SELECT * INTO closed FROM ledger_closing
     WHERE locked_at <= moment AND unlocked_at IS NULL ORDER BY ends_before DESC LIMIT 1;
    SELECT old.booked INTO kept FROM ledger_closingbalance old JOIN ledger_closing closing ON closing.id = old.closing_id
     WHERE old.account_id = purse AND old.ends_before <= closed.ends_before AND closing.unlocked_at IS NULL
     ORDER BY old.ends_before DESC LIMIT 1;
    RETURN coalesce(kept, 0) + coalesce((
        SELECT sum(amount) FROM ledger_posting
         WHERE account_id = purse AND happened_on >= coalesce(closed.ends_before, '-infinity'::date)
           AND happened_on <= (moment AT TIME ZONE 'UTC')::date + 1
           AND id > coalesce(closed.last_posting, 0) AND booked_at <= moment), 0);
END $$;
REVOKE DELETE, TRUNCATE ON ledger_closing FROM tronc_app;
CREATE TRIGGER closingbalance_is_made BEFORE INSERT ON ledger_closingbalance
    FOR EACH STATEMENT WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER closingbalance_append_only BEFORE UPDATE OR DELETE ON ledger_closingbalance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER closingbalance_not_truncated BEFORE TRUNCATE ON ledger_closingbalance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_closingbalance FROM tronc_app;
"""


def someone(null: bool) -> models.ForeignKey:
    return models.ForeignKey(
        null=null, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_holds"), ("identity", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Closing",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("first_day", models.DateField()),
                ("ends_before", models.DateField()),
                ("asked_at", models.DateTimeField()),
                ("locked_at", models.DateTimeField(null=True)),
                ("last_posting", models.BigIntegerField(null=True)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("unlock_asked_at", models.DateTimeField(null=True)),
                ("unlock_reason", models.TextField(blank=True)),
                ("unlocked_at", models.DateTimeField(null=True)),
                ("asked_by", someone(False)),
                ("locked_by", someone(True)),
                ("withdrawn_by", someone(True)),
                ("unlock_asked_by", someone(True)),
                ("unlocked_by", someone(True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(unlocked_at=None, withdrawn_at=None),
                        fields=("first_day",),
                        name="one_closing_a_month",
                    ),
                    models.CheckConstraint(
                        condition=Q(first_day__day=1, ends_before__day=1, ends_before__gt=F("first_day")),
                        name="closing_is_of_a_month",
                    ),
                    models.CheckConstraint(
                        condition=Q(locked_by=None) | ~Q(locked_by=F("asked_by")), name="closing_takes_two"
                    ),
                    models.CheckConstraint(
                        condition=Q(unlocked_by=None) | ~Q(unlocked_by=F("unlock_asked_by")),
                        name="closing_unlock_takes_two",
                    ),
                    models.CheckConstraint(
                        condition=Q(locked_by=None, locked_at=None)
                        | Q(locked_by__isnull=False, locked_at__isnull=False),
                        name="closing_locked_by_someone",
                    ),
                    models.CheckConstraint(
                        condition=Q(unlock_asked_by=None, unlock_asked_at=None)
                        | Q(unlock_asked_by__isnull=False, unlock_asked_at__isnull=False),
                        name="closing_unlock_asked_by_someone",
                    ),
                    models.CheckConstraint(
                        condition=Q(unlocked_by=None, unlocked_at=None)
                        | Q(unlocked_by__isnull=False, unlocked_at__isnull=False, unlock_asked_by__isnull=False),
                        name="closing_unlocked_by_someone",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosingBalance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ends_before", models.DateField()),
                ("balance", models.BigIntegerField()),
                ("booked", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.account",
                    ),
                ),
                (
                    "closing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="balances", to="ledger.closing"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["account", "ends_before"], name="closing_balance_of_purse")],
                "constraints": [
                    models.UniqueConstraint(fields=("closing", "account"), name="one_balance_a_closing"),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
