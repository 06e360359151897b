"""A period has a charter of its own budget, and keeps it once it is closed; it does not open again."""

from django.db import migrations

SQL = """
ALTER TABLE commons_charter ADD CONSTRAINT charter_with_its_budget UNIQUE (id, budget_id);
ALTER TABLE commons_period ADD CONSTRAINT period_under_a_charter_of_its_budget
    FOREIGN KEY (charter_id, budget_id) REFERENCES commons_charter (id, budget_id);

CREATE FUNCTION commons_period_keeps_its_charter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'period % is closed: it keeps its charter and does not open again', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'closed_period_keeps_its_charter';
END $$;
CREATE TRIGGER closed_period_keeps_its_charter BEFORE UPDATE ON commons_period
    FOR EACH ROW WHEN ((OLD.state <> 'open' OR NEW.state <> 'open')
        AND ((OLD.charter_id, OLD.budget_id) IS DISTINCT FROM (NEW.charter_id, NEW.budget_id)
             OR (OLD.state <> 'open' AND NEW.state = 'open')))
    EXECUTE FUNCTION commons_period_keeps_its_charter();
"""


class Migration(migrations.Migration):
    dependencies = [("commons", "0004_charter_documents")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
