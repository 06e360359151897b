"""What of a share was waived, and every state of it; PostgreSQL refuses a move that is not along an edge."""

from django.db import migrations, models
from django.db.models import F, Q

STATES = [
    ("owed", "owed"),
    ("documented", "supporting document to check"),
    ("payable", "ready to be paid"),
    ("batched", "in a payout batch"),
    ("paid", "paid"),
    ("returned", "sent back by the bank, to be paid again"),
    ("waived", "waived"),
]

SQL = """
CREATE FUNCTION distributions_share_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('owed', 'documented'), ('owed', 'payable'), ('owed', 'waived'), ('owed', 'paid'), ('owed', 'batched'),
        ('documented', 'payable'), ('documented', 'owed'), ('documented', 'waived'),
        ('payable', 'batched'), ('payable', 'owed'), ('payable', 'waived'),
        ('batched', 'paid'), ('batched', 'payable'), ('batched', 'returned'),
        ('paid', 'returned'),
        ('returned', 'batched'), ('returned', 'owed'), ('returned', 'waived')
    ) THEN
        RAISE EXCEPTION 'share %: from % to % is refused', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'share_moves_along_its_states';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_moves_along_its_states BEFORE UPDATE OF state ON distributions_share
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION distributions_share_moves();

CREATE FUNCTION distributions_share_waived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.waived < OLD.waived OR OLD.state NOT IN ('owed', 'documented', 'payable', 'returned') THEN
        RAISE EXCEPTION 'share %: what was waived stays so, and nothing is waived of what left', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'share_waived_before_it_leaves';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_waived_before_it_leaves BEFORE UPDATE OF waived ON distributions_share
    FOR EACH ROW WHEN (OLD.waived <> NEW.waived) EXECUTE FUNCTION distributions_share_waived();
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0005_recorder_does_not_approve")]
    operations = [
        migrations.AddField("share", "waived", models.BigIntegerField(default=0, db_default=0)),
        migrations.AlterField("share", "state", models.CharField(choices=STATES, default="owed", max_length=12)),
        migrations.AddConstraint(
            "share",
            models.CheckConstraint(
                condition=Q(waived__gte=0, waived__lte=F("amount")), name="share_waived_at_most_all"
            ),
        ),
        migrations.AddConstraint(
            "share",
            models.CheckConstraint(
                condition=~Q(state="waived") | Q(waived=F("amount")), name="share_waived_is_all_waived"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
