"""What two people signed is what leaves: batches, payouts and what they pay never change, and move along their edges.

Whoever sends the statement, PostgreSQL refuses a changed file, a signature of somebody concerned, a missing third
person above the limits of the account, and a batch whose payee changed their account after it was prepared.
"""

from django.db import migrations

SQL = """
-- Who may not sign: those paid by the batch, those who last changed an account it pays, those who asked for a refund.
CREATE FUNCTION payouts_concerned(batch varchar, person varchar) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM payouts_payout payout
          LEFT JOIN payees_payee payee ON payee.id = payout.payee_id
          LEFT JOIN payments_refund refund ON refund.id = payout.refund_id
         WHERE payout.batch_id = batch
           AND (payee.user_id = person OR payee.iban_edited_by_id = person OR refund.asked_by_id = person)
    )
$$;

CREATE FUNCTION payouts_account_moved(batch varchar, since timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM payouts_payout payout JOIN payees_payee payee ON payee.id = payout.payee_id
         WHERE payout.batch_id = batch
           AND (payee.iban_edited_at > since OR payee.iban_sealed = '' OR payee.blocked_at IS NOT NULL)
    )
$$;

-- Whether the limits of its account ask for a third person: all that one person or pledge gets, the batch, the day.
CREATE FUNCTION payouts_third_person(batch payouts_payoutbatch) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(batch.total > account.limit_batch, false)
        OR (account.limit_payee IS NOT NULL AND EXISTS (
            SELECT FROM payouts_payout payout
              LEFT JOIN payees_payee payee ON payee.id = payout.payee_id
              LEFT JOIN payments_refund refund ON refund.id = payout.refund_id
             WHERE payout.batch_id = batch.id
             GROUP BY COALESCE(payee.user_id, refund.pledge_id)
            HAVING sum(payout.amount) > account.limit_payee))
        OR COALESCE((
            SELECT sum(other.total) FROM payouts_payoutbatch other
             WHERE other.account_id = batch.account_id AND other.state <> 'rejected'
               AND (other.prepared_at, other.id) <= (batch.prepared_at, batch.id)
               AND (other.prepared_at AT TIME ZONE host.time_zone)::date
                 = (batch.prepared_at AT TIME ZONE host.time_zone)::date
            ) > account.limit_day, false)
      FROM identity_hostbankaccount account JOIN identity_host host ON host.id = account.host_id
     WHERE account.id = batch.account_id
$$;

CREATE FUNCTION payouts_refuse(reason text, rule text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'restrict_violation', CONSTRAINT = rule;
END $$;

CREATE FUNCTION payouts_batch_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    signer varchar;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM payouts_refuse(format('batch %s: a batch is never removed', OLD.id), 'batch_never_changes');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'prepared' OR NEW.approved_by_id IS NOT NULL OR NEW.claimed_by_id IS NOT NULL THEN
            PERFORM payouts_refuse(format('batch %s: a batch begins prepared and unsigned', NEW.id), 'batch_begins');
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.account_id, NEW.currency, NEW.total, NEW.message_id, NEW.execute_on, NEW.digest, NEW.file_format,
            NEW.prepared_by_id, NEW.prepared_at)
        IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.currency, OLD.total, OLD.message_id, OLD.execute_on, OLD.digest,
            OLD.file_format, OLD.prepared_by_id, OLD.prepared_at)
        -- The sealing key may turn: another key is named before the colon.
        OR (NEW.file_sealed <> OLD.file_sealed
            AND split_part(NEW.file_sealed, ':', 1) = split_part(OLD.file_sealed, ':', 1))
        OR NEW.downloads < OLD.downloads THEN
        PERFORM payouts_refuse(format('batch %s: what was prepared never changes', OLD.id), 'batch_never_changes');
    END IF;
    IF (OLD.approved_by_id IS NOT NULL AND (NEW.approved_by_id, NEW.approved_at, NEW.approved_digest)
            IS DISTINCT FROM (OLD.approved_by_id, OLD.approved_at, OLD.approved_digest))
        OR (OLD.second_by_id IS NOT NULL AND (NEW.second_by_id, NEW.second_at)
            IS DISTINCT FROM (OLD.second_by_id, OLD.second_at))
        OR (OLD.claimed_by_id IS NOT NULL AND (NEW.claimed_by_id, NEW.claimed_at, NEW.way)
            IS DISTINCT FROM (OLD.claimed_by_id, OLD.claimed_at, OLD.way))
        OR (OLD.sent_at IS NOT NULL AND NEW.sent_at IS DISTINCT FROM OLD.sent_at) THEN
        PERFORM payouts_refuse(format('batch %s: what was signed stays signed', OLD.id), 'batch_signatures_stay');
    END IF;
    FOREACH signer IN ARRAY ARRAY[
        CASE WHEN OLD.approved_by_id IS NULL THEN NEW.approved_by_id END,
        CASE WHEN OLD.second_by_id IS NULL THEN NEW.second_by_id END
    ] LOOP
        IF signer IS NULL THEN
            CONTINUE;
        END IF;
        IF OLD.state <> 'prepared' OR NEW.approved_digest <> NEW.digest THEN
            PERFORM payouts_refuse(format('batch %s: this is not what was prepared', OLD.id), 'batch_signed_as_prepared');
        END IF;
        IF payouts_concerned(OLD.id, signer) THEN
            PERFORM payouts_refuse(format('batch %s: who is concerned does not sign', OLD.id), 'batch_signed_by_others');
        END IF;
    END LOOP;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('prepared', 'approved'), ('prepared', 'rejected'),
        ('approved', 'claimed'), ('approved', 'rejected'),
        ('claimed', 'sent'), ('claimed', 'unknown'), ('claimed', 'rejected'),
        ('sent', 'unknown'), ('sent', 'settled'), ('sent', 'rejected'), ('sent', 'returned'),
        ('unknown', 'sent'), ('unknown', 'settled'), ('unknown', 'rejected'), ('unknown', 'returned'),
        ('settled', 'sent'), ('settled', 'returned')
    ) THEN
        PERFORM payouts_refuse(
            format('batch %s: from %s to %s is refused', OLD.id, OLD.state, NEW.state), 'batch_moves_along_its_states');
    END IF;
    IF NEW.state = 'approved' AND NEW.second_by_id IS NULL AND payouts_third_person(NEW) THEN
        PERFORM payouts_refuse(format('batch %s: a third person must approve it', OLD.id), 'batch_takes_three');
    END IF;
    IF NEW.state = 'claimed' AND NEW.claimed_by_id IS NULL THEN
        PERFORM payouts_refuse(format('batch %s: somebody claims it', OLD.id), 'batch_claimed_in_a_way');
    END IF;
    -- What was typed on the bank's site has left, whatever changed since: only the claim is looked at.
    IF (NEW.state IN ('approved', 'claimed') OR (NEW.state = 'sent' AND OLD.state = 'claimed' AND NEW.way = 'file'))
        AND payouts_account_moved(OLD.id, OLD.prepared_at) THEN
        PERFORM payouts_refuse(
            format('batch %s: an account changed after it was prepared', OLD.id), 'batch_accounts_as_prepared');
    END IF;
    RETURN NEW;
END $$;
-- Named so that it comes after the guard of the freeze, which says more.
CREATE TRIGGER signed_batch_is_what_leaves BEFORE INSERT OR UPDATE OR DELETE ON payouts_payoutbatch
    FOR EACH ROW EXECUTE FUNCTION payouts_batch_guard();

CREATE FUNCTION payouts_payout_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM payouts_refuse(format('payout %s: a payout is never removed', OLD.id), 'payout_never_changes');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'prepared' OR NOT EXISTS (SELECT FROM payouts_payoutbatch
                WHERE id = NEW.batch_id AND state = 'prepared' AND approved_by_id IS NULL) THEN
            PERFORM payouts_refuse(format('payout %s: nothing joins a batch once it is signed', NEW.id), 'payout_begins');
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.batch_id, NEW.payee_id, NEW.refund_id, NEW.amount, NEW.end_to_end_id)
        IS DISTINCT FROM (OLD.id, OLD.batch_id, OLD.payee_id, OLD.refund_id, OLD.amount, OLD.end_to_end_id)
        -- Whom it went to is forgotten only once it is over.
        OR ((NEW.name, NEW.iban_hint) <> (OLD.name, OLD.iban_hint)
            AND OLD.state NOT IN ('settled', 'returned', 'cancelled')) THEN
        PERFORM payouts_refuse(format('payout %s: what was prepared never changes', OLD.id), 'payout_never_changes');
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('prepared', 'sent'), ('prepared', 'cancelled'),
        ('sent', 'settled'), ('sent', 'returned'), ('sent', 'unknown'),
        ('unknown', 'sent'), ('unknown', 'settled'), ('unknown', 'returned'),
        ('settled', 'sent'), ('settled', 'returned')
    ) THEN
        PERFORM payouts_refuse(
            format('payout %s: from %s to %s is refused', OLD.id, OLD.state, NEW.state), 'payout_moves_along_its_states');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_is_what_was_signed BEFORE INSERT OR UPDATE OR DELETE ON payouts_payout
    FOR EACH ROW EXECUTE FUNCTION payouts_payout_guard();

-- What a payout pays: added with its batch, then only let go.
CREATE FUNCTION payouts_link_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM payouts_payout payout JOIN payouts_payoutbatch batch ON batch.id = payout.batch_id
                WHERE payout.id = NEW.payout_id AND batch.state = 'prepared' AND batch.approved_by_id IS NULL) THEN
            PERFORM payouts_refuse('nothing joins a payout once its batch is signed', 'payout_begins');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.live AND NOT OLD.live
            OR to_jsonb(NEW) - 'live' IS DISTINCT FROM to_jsonb(OLD) - 'live' THEN
            PERFORM payouts_refuse('what a payout pays never changes', 'payout_never_changes');
        END IF;
        RETURN NEW;
    END IF;
    PERFORM payouts_refuse('what a payout pays is never removed', 'payout_never_changes');
    RETURN OLD;
END $$;
CREATE TRIGGER paid_share_is_what_was_signed BEFORE INSERT OR UPDATE OR DELETE ON payouts_paidshare
    FOR EACH ROW EXECUTE FUNCTION payouts_link_guard();
CREATE TRIGGER paid_refund_is_what_was_signed BEFORE INSERT OR UPDATE OR DELETE ON payouts_paidrefund
    FOR EACH ROW EXECUTE FUNCTION payouts_link_guard();

-- What was held out is told with the batch, and stays told.
CREATE FUNCTION payouts_held_out_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payouts_refuse('what was held out of a batch never changes', 'held_out_never_changes');
    RETURN OLD;
END $$;
CREATE TRIGGER held_out_never_changes BEFORE UPDATE OR DELETE ON payouts_heldout
    FOR EACH ROW EXECUTE FUNCTION payouts_held_out_guard();

-- Who signed a batch changes no account that it pays before it has left.
CREATE FUNCTION payouts_signers_change_no_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM payouts_payout payout JOIN payouts_payoutbatch batch ON batch.id = payout.batch_id
         WHERE payout.payee_id = NEW.id AND batch.state IN ('prepared', 'approved', 'claimed')
           AND NEW.iban_edited_by_id IN (batch.approved_by_id, batch.second_by_id)
    ) THEN
        PERFORM payouts_refuse(
            format('payee %s: who approved a batch that pays it does not change its account', NEW.id),
            'signers_change_no_account');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signers_change_no_account BEFORE UPDATE ON payees_payee
    FOR EACH ROW WHEN ((OLD.iban_sealed, OLD.iban_edited_by_id, OLD.iban_edited_at)
        IS DISTINCT FROM (NEW.iban_sealed, NEW.iban_edited_by_id, NEW.iban_edited_at))
    EXECUTE FUNCTION payouts_signers_change_no_account();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0005_two_people"), ("payees", "0003_payees")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
