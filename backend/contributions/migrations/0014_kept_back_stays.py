"""What was waived or kept back of a contribution, and what it corrects, stays too once its period is closed."""

from typing import ClassVar

from django.db import migrations

SQL = """
CREATE OR REPLACE FUNCTION contributions_included_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.budget_id, OLD.period_id, OLD.contributor_id, OLD.worked_on, OLD.kind, OLD.minutes,
                             OLD.amount, OLD.currency, OLD.validated_at, OLD.remainder_of_id, OLD.waived,
                             OLD.held_back, OLD.minutes_held, OLD.corrects_id)
            IS NOT DISTINCT FROM (NEW.budget_id, NEW.period_id, NEW.contributor_id, NEW.worked_on, NEW.kind,
                                  NEW.minutes, NEW.amount, NEW.currency, NEW.validated_at, NEW.remainder_of_id,
                                  NEW.waived, NEW.held_back, NEW.minutes_held, NEW.corrects_id) THEN
        IF (OLD.state, OLD.settled_amount) IS NOT DISTINCT FROM (NEW.state, NEW.settled_amount)
                OR (OLD.state = 'included' AND NEW.state = 'settled' AND NEW.settled_amount IS NOT NULL) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of contribution % is refused: it is %', TG_OP, OLD.id, OLD.state
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'included_contribution_stays';
END $$;
"""


class Migration(migrations.Migration):
    """Four columns more in the guard of 0004."""

    dependencies: ClassVar = [("contributions", "0013_adjustments")]
    operations: ClassVar = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
