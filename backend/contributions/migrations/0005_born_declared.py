"""A contribution comes into being before it is in a distribution: none is inserted included or settled."""

from django.db import migrations

SQL = """
CREATE FUNCTION contributions_born_declared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'contribution % is refused: it is declared first', NEW.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_born_declared';
END $$;
CREATE TRIGGER contribution_born_declared BEFORE INSERT ON contributions_contribution
    FOR EACH ROW WHEN (NEW.state IN ('included', 'settled') OR NEW.settled_amount IS NOT NULL)
    EXECUTE FUNCTION contributions_born_declared();
"""


class Migration(migrations.Migration):
    dependencies = [("contributions", "0004_settled_stays")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
