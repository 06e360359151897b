"""Who claimed a batch to type it, and typed nothing, takes that back: its file may be handed over again."""

from django.db import migrations

SQL = """
CREATE OR REPLACE FUNCTION payouts_batch_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
            IS DISTINCT FROM (OLD.claimed_by_id, OLD.claimed_at, OLD.way)
            AND NOT (OLD.state = 'claimed' AND OLD.way = 'hand' AND NEW.state = 'approved'
                     AND NEW.claimed_by_id IS NULL))
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
    -- Who began to type and typed nothing takes that back; of a file nobody knows what became of it.
    IF OLD.state = 'claimed' AND NEW.state = 'approved' AND OLD.way <> 'hand' THEN
        PERFORM payouts_refuse(
            format('batch %s: from %s to %s is refused', OLD.id, OLD.state, NEW.state), 'batch_moves_along_its_states');
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('claimed', 'approved'),
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
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0009_accounts_of_signers")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
