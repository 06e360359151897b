"""Who is paid on an account does not sign a batch that pays it, whoever it is said to be of; who edited it stays told."""

from django.db import migrations

SQL = """
-- Who may not sign: those paid by the batch, as anybody's payee on an account of their own too, those who last changed
-- an account it pays, those who asked for a refund.
CREATE OR REPLACE FUNCTION payouts_concerned(batch varchar, person varchar) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM payouts_payout payout
          LEFT JOIN payees_payee payee ON payee.id = payout.payee_id
          LEFT JOIN payments_refund refund ON refund.id = payout.refund_id
         WHERE payout.batch_id = batch
           AND (payee.user_id = person OR payee.iban_edited_by_id = person OR refund.asked_by_id = person
                OR EXISTS (SELECT FROM payees_payee own
                            WHERE own.user_id = person AND own.iban_index <> ''
                              AND own.iban_index IN (payee.iban_index, refund.iban_index)))
    )
$$;

-- Who last changed an account, and which one it is, change with it alone, at a later moment; erasure empties them.
CREATE FUNCTION payees_editor_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.iban_sealed <> '' AND OLD.iban_edited_at IS NOT NULL AND NEW.iban_edited_at <= OLD.iban_edited_at THEN
        RAISE EXCEPTION 'payee %: who changed its account stays told until it changes again', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'account_editor_stays';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_editor_stays BEFORE UPDATE ON payees_payee
    FOR EACH ROW WHEN (OLD.iban_edited_by_id IS DISTINCT FROM NEW.iban_edited_by_id)
    EXECUTE FUNCTION payees_editor_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0008_limit_per_payer"), ("payees", "0005_mandates"), ("payments", "0010_restored")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
