"""A batch holds nothing without its supporting document; what was payable before there were any is owed one."""

from django.db import migrations

SQL = """
UPDATE distributions_share one SET state = 'owed'
 WHERE state IN ('payable', 'returned') AND NOT EXISTS (
    SELECT FROM distributions_supportingdocument paper WHERE paper.share_id = one.id AND paper.state = 'accepted');

DROP TRIGGER share_paid_with_a_document ON distributions_share;
CREATE TRIGGER share_paid_with_a_document BEFORE UPDATE OF state ON distributions_share
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.amount > NEW.waived
        AND (NEW.state = 'batched' OR (NEW.state = 'payable' AND OLD.state IN ('owed', 'documented'))))
    EXECUTE FUNCTION distributions_share_documented();

CREATE FUNCTION distributions_share_is_not_jumped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'share %: from % to % is refused', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'share_moves_along_its_states';
END $$;
CREATE TRIGGER share_is_documented_first BEFORE UPDATE OF state ON distributions_share
    FOR EACH ROW WHEN (OLD.state = 'owed' AND (NEW.state = 'batched' OR (NEW.state = 'paid' AND NEW.amount > 0)))
    EXECUTE FUNCTION distributions_share_is_not_jumped();
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0011_papers")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
