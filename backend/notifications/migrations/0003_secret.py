"""Messages that open something lose their text once they have left; those that left before lose it now."""

from typing import ClassVar

from django.db import migrations, models

PAST = """
UPDATE notifications_outgoingmail SET secret = true
 WHERE event_id IS NULL OR body ~ '/(invitations|confirm)/';
UPDATE notifications_outgoingmail SET body = ''
 WHERE secret AND state IN ('sent', 'bounced', 'given_up');
"""


class Migration(migrations.Migration):
    """Marks the messages whose text opens something."""

    dependencies: ClassVar = [("notifications", "0002_bounces")]
    operations: ClassVar = [
        migrations.AddField("outgoingmail", "secret", models.BooleanField(db_default=False, default=False)),
        migrations.RunSQL(PAST, migrations.RunSQL.noop),
    ]
