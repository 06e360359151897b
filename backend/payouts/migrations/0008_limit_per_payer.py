"""The limit for a payee counts who gets the money: a payer whatever their pledges, and a bank account."""

from typing import ClassVar

from django.db import migrations

SQL = """
-- Whether the limits of its account ask for a third person: all that one person, payer or account gets, the batch, the
-- day.
CREATE OR REPLACE FUNCTION payouts_third_person(batch payouts_payoutbatch) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(batch.total > account.limit_batch, false)
        OR (account.limit_payee IS NOT NULL AND EXISTS (
            SELECT FROM payouts_payout payout
              LEFT JOIN payees_payee payee ON payee.id = payout.payee_id
              LEFT JOIN payments_refund refund ON refund.id = payout.refund_id
              LEFT JOIN pledges_pledge pledge ON pledge.id = refund.pledge_id
              LEFT JOIN pledges_donor donor ON donor.id = pledge.donor_id
             CROSS JOIN LATERAL (VALUES
                   (COALESCE(payee.user_id, pledge.organisation_id, pledge.person_id, donor.claimed_by_id,
                             'address:' || NULLIF(donor.email_index, ''), donor.id)),
                   ('iban:' || NULLIF(COALESCE(payee.iban_index, refund.iban_index), ''))
                 ) AS gets (key)
             WHERE payout.batch_id = batch.id AND gets.key IS NOT NULL
             GROUP BY gets.key
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
"""


class Migration(migrations.Migration):
    """The limit for a payee counts who gets the money."""

    dependencies: ClassVar = [
        ("payouts", "0007_undone"),
        ("pledges", "0004_provider"),
        ("payees", "0005_mandates"),
        ("payments", "0010_restored"),
    ]
    operations: ClassVar = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
