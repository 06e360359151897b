"""Payouts that were seen on a statement before they kept its line are told it: by their own id, else as a batch."""

from django.db import migrations

SQL = """
UPDATE payouts_payout payout SET line = 'line:' || line.account_id || ':' || left(line.fingerprint, 24)
  FROM banking_bankline line
 WHERE payout.line = '' AND payout.state IN ('settled', 'returned') AND line.state = 'matched' AND line.amount < 0
   AND line.matched_to = payout.batch_id AND line.references ->> 'end_to_end_id' = payout.end_to_end_id;
UPDATE payouts_payout payout SET line = 'line:' || line.account_id || ':' || left(line.fingerprint, 24)
  FROM banking_bankline line
 WHERE payout.line = '' AND payout.state IN ('settled', 'returned') AND line.state = 'matched' AND line.amount < 0
   AND line.matched_to = payout.batch_id
   AND (SELECT count(*) FROM banking_bankline other
         WHERE other.matched_to = payout.batch_id AND other.state = 'matched' AND other.amount < 0) = 1;
"""


class Migration(migrations.Migration):
    dependencies = [("banking", "0005_lines_stay"), ("payouts", "0007_undone")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
