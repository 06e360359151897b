"""Events are chained: each seal holds the SHA-256 of the seal before it and of the events it takes."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

SQL = """
CREATE FUNCTION events_digest(previous text, sealing integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(previous || coalesce(string_agg(
        E'\\n' || jsonb_build_array(
            e.id, e.kind, e.actor_id, e.subject, e.scopes, e.data, e.on_behalf, e.before, e.after, e.why, e.origin,
            e.request_id, (e.created_at AT TIME ZONE 'UTC')::text)::text, '' ORDER BY e.id COLLATE "C"), ''), 'UTF8')), 'hex')
    FROM events_sealedevent s JOIN events_event e ON e.id = s.event_id WHERE s.seal_id = sealing
$$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_eventseal
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_sealedevent
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON events_eventseal, events_sealedevent FROM tronc_app;
"""


class Migration(migrations.Migration):
    """EventSeal, SealedEvent, and the one function that computes a seal."""

    dependencies: ClassVar = [("events", "0004_find_by_scope")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="EventSeal",
            fields=[
                ("number", models.PositiveIntegerField(primary_key=True, serialize=False)),
                ("count", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(count__gt=0), name="event_seal_holds_some")]
            },
        ),
        migrations.CreateModel(
            name="SealedEvent",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False,
                        to="events.event",
                    ),
                ),
                (
                    "seal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="events.eventseal"
                    ),
                ),
            ],
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]  # fmt: skip
