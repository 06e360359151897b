"""What was recorded by mistake is taken back by who recorded it; an answer and a retraction exclude each other."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q

SQL = """
-- Who is asked changes once alone: when somebody without an address turns out to be a person who has an account.
GRANT UPDATE (retracted_at, retracted_reason, asked_id, on_behalf_of) ON identity_recording TO tronc_app;

CREATE TRIGGER recording_retraction_stays BEFORE UPDATE ON identity_recording
    FOR EACH ROW WHEN (OLD.retracted_at IS NOT NULL AND NEW.retracted_at IS DISTINCT FROM OLD.retracted_at)
    EXECUTE FUNCTION identity_answer_stays();
"""


class Migration(migrations.Migration):
    """Recordings taken back."""

    dependencies: ClassVar = [("identity", "0006_proposals")]
    operations: ClassVar = [
        migrations.AddField("recording", "retracted_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "recording",
            "retracted_reason",
            models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddConstraint(
            "recording",
            models.CheckConstraint(
                condition=Q(retracted_at=None, retracted_reason="")
                | Q(retracted_at__isnull=False, confirmed_at=None, contested_at=None),
                name="recording_retracted_unanswered",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
