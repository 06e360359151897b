"""Names and addresses that a person had before, so that an erasure finds them; erasures ignore the case of letters."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARDS = r"""
-- Whatever changes a name or an address, the one it replaces is kept for the erasure of the person. An address counts
-- once it was theirs: confirmed, or that of the account.
CREATE FUNCTION privacy_note_former() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'account_emailaddress' THEN
        IF OLD.verified THEN
            INSERT INTO privacy_former (user_id, kind, text, noted_at)
            VALUES (OLD.user_id, 'email', lower(OLD.email), now()) ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END IF;
    INSERT INTO privacy_former (user_id, kind, text, noted_at)
    SELECT OLD.id, was.kind, was.text, now()
      FROM (VALUES ('name', OLD.name, NEW.name), ('name', OLD.public_name, NEW.public_name),
                   ('email', lower(OLD.email), lower(NEW.email))) AS was (kind, text, present)
     WHERE was.text <> '' AND was.text <> was.present AND was.text NOT LIKE '%@%.invalid'
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER former_of_account AFTER UPDATE OF name, public_name, email ON identity_user
    FOR EACH ROW WHEN ((OLD.name, OLD.public_name, OLD.email) IS DISTINCT FROM (NEW.name, NEW.public_name, NEW.email))
    EXECUTE FUNCTION privacy_note_former();
CREATE TRIGGER former_address AFTER UPDATE OF email OR DELETE ON account_emailaddress
    FOR EACH ROW EXECUTE FUNCTION privacy_note_former();

-- A text without a word: a full name or an address whatever its case; a single word, which may be an ordinary one of
-- the language too, only as it is written.
CREATE FUNCTION privacy_without(kept text, word text, shown text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN word ~ '[ @]' THEN regexp_replace(kept, '***=' || word, replace(shown, '\', '\\'), 'gi')
        ELSE replace(kept, word, shown)
    END
$$;
CREATE OR REPLACE FUNCTION privacy_forget_in_reviews(person text, word text, shown text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF word = '' OR shown = '' OR NOT EXISTS (
        SELECT FROM privacy_erasure WHERE user_id = person AND withdrawn_at IS NULL AND done_at IS NULL
    ) THEN
        RAISE EXCEPTION 'no erasure of % waits', person
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'review_is_kept';
    END IF;
    UPDATE contributions_review SET reason = left(privacy_without(reason, word, shown), 500)
     WHERE (contributor_id = person OR reviewer_id = person) AND strpos(lower(reason), lower(word)) > 0;
END $$;

-- What is withdrawn stays as it was said; only where to object moves, when the person who read there is erased.
DROP TRIGGER moderation_is_only_lifted ON commons_moderation;
CREATE TRIGGER moderation_is_only_lifted BEFORE UPDATE ON commons_moderation
    FOR EACH ROW WHEN (
        (OLD.subject, OLD.field, OLD.reason, OLD.moderated_by_id, OLD.moderated_at)
            IS DISTINCT FROM (NEW.subject, NEW.field, NEW.reason, NEW.moderated_by_id, NEW.moderated_at)
        OR (OLD.lifted_at IS NOT NULL AND OLD.appeal_to = NEW.appeal_to))
    EXECUTE FUNCTION commons_moderation_is_kept();
CREATE FUNCTION privacy_appeal_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.lifted_at, OLD.lifted_by_id) IS NOT DISTINCT FROM (NEW.lifted_at, NEW.lifted_by_id) AND EXISTS (
        SELECT FROM privacy_erasure one WHERE one.withdrawn_at IS NULL AND one.done_at IS NULL AND (
            EXISTS (SELECT FROM identity_user who WHERE who.id = one.user_id
                    AND lower(who.email) = lower(OLD.appeal_to))
            OR EXISTS (SELECT FROM account_emailaddress their WHERE their.user_id = one.user_id
                       AND lower(their.email) = lower(OLD.appeal_to))
            OR EXISTS (SELECT FROM privacy_former former WHERE former.user_id = one.user_id
                       AND former.text = lower(OLD.appeal_to)))
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'UPDATE on % is refused: it is lifted, never changed', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'moderation_is_kept';
END $$;
CREATE TRIGGER moderation_appeal_is_kept BEFORE UPDATE ON commons_moderation
    FOR EACH ROW WHEN (OLD.appeal_to <> NEW.appeal_to) EXECUTE FUNCTION privacy_appeal_moves();
"""


class Migration(migrations.Migration):
    """A table of former names and addresses, filled by triggers."""

    dependencies: ClassVar = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("privacy", "0001_initial"),
        ("commons", "0006_life"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Former",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("name", "name"), ("email", "e-mail address")], max_length=5)),
                ("text", models.CharField(max_length=254)),
                ("noted_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="former",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "kind", "text"), name="former_kept_once"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["name", "email"])), name="former_kind_known"
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
