"""Who recorded a contribution for somebody else: it never changes, and they are refused as its reviewer."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

SQL = """
CREATE FUNCTION contributions_recorder_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM contributions_contribution c
               WHERE c.id = NEW.contribution_id AND c.recorded_by_id = NEW.reviewer_id) THEN
        RAISE EXCEPTION 'review % is refused: its reviewer recorded the contribution', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'nobody_reviews_what_they_recorded';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER nobody_reviews_what_they_recorded BEFORE INSERT OR UPDATE ON contributions_review
    FOR EACH ROW EXECUTE FUNCTION contributions_recorder_reviews();

CREATE FUNCTION contributions_recorder_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'contribution % is refused: who recorded it never changes', NEW.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'recorder_stays';
END $$;
CREATE TRIGGER recorder_stays BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (NEW.recorded_by_id IS DISTINCT FROM OLD.recorded_by_id)
    EXECUTE FUNCTION contributions_recorder_stays();
"""


class Migration(migrations.Migration):
    """Who recorded a contribution for somebody else."""

    dependencies: ClassVar = [("contributions", "0005_born_declared"), ("identity", "0005_organisations")]
    operations: ClassVar = [
        migrations.AddField(
            "contribution",
            "recorded_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            "contribution",
            models.CheckConstraint(condition=~Q(recorded_by=F("contributor")), name="recorded_for_somebody_else"),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
