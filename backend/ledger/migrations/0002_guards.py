"""What PostgreSQL itself refuses, whatever the statement and whoever sends it."""

from django.db import migrations

APPEND_ONLY = ["ledger_account", "ledger_journalentry", "ledger_posting"]

SQL = """
-- Every key is checked by the end of the statement or of the transaction; currencies must agree.
ALTER TABLE ledger_posting ADD CONSTRAINT posting_in_the_purse_currency
    FOREIGN KEY (account_id, currency) REFERENCES ledger_account (id, currency);

-- A purse is born with its balance row, which nobody else may write.
CREATE FUNCTION ledger_open_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.ledger_account'::regclass THEN
        RAISE EXCEPTION 'only purses open balances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ledger_balance (account_id, balance, normal_side, guarded)
    VALUES (NEW.id, 0, NEW.normal_side, NEW.guarded);
    RETURN NULL;
END $$;
CREATE TRIGGER account_opens_balance AFTER INSERT ON ledger_account FOR EACH ROW EXECUTE FUNCTION ledger_open_balance();

-- All lines of an entry come in one statement: the set is verified, then the balances move, locked in one order.
CREATE FUNCTION ledger_book_postings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    IF TG_RELID <> 'public.ledger_posting'::regclass THEN
        RAISE EXCEPTION 'only postings move balances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT string_agg(found.entry_id, ', ') INTO wrong FROM (
        SELECT posting.entry_id
          FROM ledger_posting posting
         WHERE posting.entry_id IN (SELECT entry_id FROM added)
         GROUP BY posting.entry_id, posting.currency
        HAVING sum(posting.amount) <> 0
    ) found;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'unbalanced entry: %', wrong USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
    END IF;
    SELECT string_agg(entry.id, ', ') INTO wrong
      FROM ledger_journalentry entry
     WHERE entry.id IN (SELECT entry_id FROM added)
       AND entry.lines <> (SELECT count(*) FROM ledger_posting posting WHERE posting.entry_id = entry.id);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'entry with missing or added lines: %', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_its_lines';
    END IF;
    PERFORM 1 FROM ledger_balance WHERE account_id IN (SELECT account_id FROM added) ORDER BY account_id FOR UPDATE;
    UPDATE ledger_balance held SET balance = held.balance + moved.amount
      FROM (SELECT account_id, sum(amount)::bigint AS amount FROM added GROUP BY account_id) moved
     WHERE held.account_id = moved.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER postings_are_booked AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_book_postings();

-- An entry without its lines does not survive its transaction; a reversal is not reversed.
CREATE FUNCTION ledger_verify_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.lines <> (SELECT count(*) FROM ledger_posting posting WHERE posting.entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry without its lines: %', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_its_lines';
    END IF;
    IF NEW.reverses_id IS NOT NULL
       AND EXISTS (SELECT 1 FROM ledger_journalentry entry WHERE entry.id = NEW.reverses_id AND entry.reverses_id IS NOT NULL) THEN
        RAISE EXCEPTION 'reversal of a reversal: %', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_is_not_reversed';
    END IF;
    IF NEW.reverses_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM ledger_posting
         WHERE entry_id IN (NEW.id, NEW.reverses_id)
         GROUP BY account_id, currency, chart HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'reversal that is no mirror: %', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_mirrors';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_is_verified AFTER INSERT ON ledger_journalentry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_verify_entry();

CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_is_append_only';
END $$;

-- Balances move only from inside the trigger above, even for the owner of the table.
CREATE FUNCTION ledger_balance_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION '% on ledger_balance is refused: balances follow postings', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'balance_follows_postings';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balance_follows_postings BEFORE INSERT OR UPDATE OR DELETE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_balance_guard();
CREATE TRIGGER balance_is_not_truncated BEFORE TRUNCATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_balance_guard();
ALTER TABLE ledger_balance SET (fillfactor = 50);
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_balance FROM tronc_app;

-- A function that writes for its owner must not be hung on another table by someone else.
REVOKE EXECUTE ON FUNCTION ledger_open_balance(), ledger_book_postings(), ledger_verify_entry() FROM PUBLIC, tronc_app;

-- The nature of a purse is that of its kind, whoever opens it.
ALTER TABLE ledger_account ADD CONSTRAINT purse_has_the_nature_of_its_kind CHECK (
    (kind IN ('bank', 'clearing', 'provider_fees') AND normal_side = 1 AND NOT guarded)
    OR (kind = 'deficit' AND normal_side = 1 AND guarded)
    OR (kind IN ('suspense', 'host_fees') AND normal_side = -1 AND NOT guarded)
    OR (kind IN ('in_transit', 'budget', 'payee', 'reserve') AND normal_side = -1 AND guarded)
);
"""

PER_TABLE = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER {table}_not_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(SQL + "".join(PER_TABLE.format(table=table) for table in APPEND_ONLY), migrations.RunSQL.noop)
    ]
