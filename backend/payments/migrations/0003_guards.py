"""What the bank took back is written once."""

from django.db import migrations

SQL = """
CREATE FUNCTION payments_take_back_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on payments_takeback is refused: it is written once', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'take_back_is_final';
END $$;
CREATE TRIGGER take_back_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_takeback
    FOR EACH STATEMENT EXECUTE FUNCTION payments_take_back_is_final();
REVOKE UPDATE, DELETE, TRUNCATE ON payments_takeback FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_taken_back")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
