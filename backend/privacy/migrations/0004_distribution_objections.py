"""The name of a person who is being erased goes from objections to distributions, and from what was decided, too."""

from django.db import migrations

SQL = """
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
    UPDATE contributions_question SET text = left(privacy_without(text, word, shown), 1000)
     WHERE (contributor_id = person OR asker_id = person) AND strpos(lower(text), lower(word)) > 0;
    UPDATE contributions_question SET answer = left(privacy_without(answer, word, shown), 1000)
     WHERE (contributor_id = person OR asker_id = person) AND strpos(lower(answer), lower(word)) > 0;
    UPDATE contributions_objection SET reason = left(privacy_without(reason, word, shown), 1000)
     WHERE (contributor_id = person OR objector_id = person) AND strpos(lower(reason), lower(word)) > 0;
    UPDATE contributions_opinion SET reason = left(privacy_without(reason, word, shown), 500)
     WHERE (contributor_id = person OR objector_id = person OR steward_id = person) AND strpos(lower(reason), lower(word)) > 0;
    UPDATE distributions_distributionobjection SET reason = left(privacy_without(reason, word, shown), 1000)
     WHERE objector_id = person AND strpos(lower(reason), lower(word)) > 0;
    UPDATE distributions_distributionopinion opinion SET reason = left(privacy_without(opinion.reason, word, shown), 500)
      FROM distributions_distributionobjection raised
     WHERE raised.id = opinion.objection_id AND (raised.objector_id = person OR opinion.steward_id = person)
       AND strpos(lower(opinion.reason), lower(word)) > 0;
END $$;
"""


class Migration(migrations.Migration):
    """What is said of a distribution."""

    dependencies = [("privacy", "0003_peers"), ("distributions", "0007_objections")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
