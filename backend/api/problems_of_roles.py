"""Refusals about roles, proposals, the life of a commons and withdrawn texts: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

_NOTHING = _("Nothing is to be done.")
_ANOTHER = _("Ask another person who may decide.")

PROBLEMS: dict[str, tuple[object, object, object]] = {
    # --- roles ------------------------------------------------------------------------------------------------------
    "role_to_oneself": (
        _("Nobody gives a role to themselves"),
        _("The address is your own."),
        _("Ask another person who may give this role."),
    ),
    "role_held": (_("The role is held already"), _("This person has this role in this place."), _NOTHING),
    "role_unknown": (
        _("The role is not known"),
        _("This place has no such role."),
        _("Choose one of the roles of the list."),
    ),
    "role_not_found": (
        _("Nobody holds this role"),
        _("It was taken away already, or the address of the page is wrong."),
        _("Look at the list of people."),
    ),
    "treasurer_takes_two": (
        _("A treasurer is named by two people"),
        _("Treasurers move money: one person alone does not name them."),
        _("Propose the treasurer; another treasurer or administrator decides."),
    ),
    "last_administrator": (
        _("The last administrator stays"),
        _("Nobody could give roles any more."),
        _("Name another administrator first."),
    ),
    "last_treasurer": (
        _("The last treasurer who can act stays"),
        _("Nobody could pay any more."),
        _("Propose another treasurer first, who then adds a second factor."),
    ),
    "last_steward": (
        _("The last steward stays"),
        _("Nobody would take care of the pot any more."),
        _("Name another steward first, or ask an administrator."),
    ),
    # --- what takes two people --------------------------------------------------------------------------------------
    "proposal_open": (
        _("The same thing awaits a decision"),
        _("It was proposed already, and nobody decided yet."),
        _("Decide it, or have it taken back, then propose again."),
    ),
    "proposal_not_found": (
        _("There is no such proposal"),
        _("The address of the page is wrong."),
        _("Look at the list of proposals."),
    ),
    "proposal_decided": (
        _("It was decided already"),
        _("Somebody accepted or refused it, or it was taken back."),
        _("Propose it again if it is still wanted."),
    ),
    "proposal_changed": (
        _("The decision does not match the proposal"),
        _("What was sent is not what is proposed."),
        _("Open the page again, read it, then decide."),
    ),
    "own_proposal": (_("Another person decides"), _("You proposed it."), _ANOTHER),
    "proposal_about_you": (_("Another person decides"), _("The proposal is about you."), _ANOTHER),
    "not_proposer": (
        _("Only who proposed it takes it back"),
        _("Another person proposed it."),
        _("Refuse it, with a reason."),
    ),
    "proposer_without_right": (
        _("The proposer has no right to it any more"),
        _("They lost their role, or their second factor, since."),
        _("Refuse it, or propose it yourself and have another person decide."),
    ),
    "treasurer_wanted": (
        _("A treasurer must be among the two"),
        _("Neither who proposed the bank account nor who decides is a treasurer."),
        _("Ask a treasurer to decide."),
    ),
    "nothing_changed": (
        _("Nothing would change"),
        _("The settings that were typed are the present ones."),
        _("Change one of them."),
    ),
    "settings_changed": (
        _("The settings changed since"),
        _("Another change was accepted after this one was proposed."),
        _("Refuse it, and propose again what is still wanted."),
    ),
    "time_zone_fixed": (
        _("The time zone does not change any more"),
        _("Entries are booked on days of the present time zone."),
        _("Keep the present time zone."),
    ),
    # --- the life of a commons --------------------------------------------------------------------------------------
    "too_many_proposals": (
        _("Too many proposals in a day"),
        _("A person proposes five commons a day at most."),
        _("Wait until tomorrow."),
    ),
    "summary_missing": (
        _("The summary is missing or too long"),
        _("A commons says what it is in one sentence of at most 280 characters."),
        _("Write this sentence."),
    ),
    "why_missing": (
        _("The reason of the proposal is missing or too long"),
        _("Whoever decides needs to know why it needs a common pot, in at most 1,000 characters."),
        _("Write it."),
    ),
    "website_invalid": (
        _("This is not the address of a website"),
        _("An address begins with https:// or http://."),
        _("Correct it, or leave it empty."),
    ),
    "commons_decided": (
        _("The proposal was decided already"),
        _("Somebody opened or refused the commons, or it was taken back."),
        _("Propose it again if it is still wanted."),
    ),
    "commons_changed": (
        _("The proposal is not the one that was read"),
        _("Its author wrote it again in the meantime."),
        _("Read it again, then decide."),
    ),
    "commons_without_person": (
        _("Nobody could take care of the commons"),
        _("Whoever proposed it, or would take care of it, closed their account."),
        _("Refuse it; somebody else can propose it again."),
    ),
    "own_commons": (_("Another person decides"), _("You proposed this commons, or would take care of it."), _ANOTHER),
    "commons_not_open": (
        _("The commons is not open"),
        _("It is withdrawn from the public, or archived."),
        _("Look at its state."),
    ),
    "commons_not_hidden": (_("The commons is not withdrawn"), _("The public reads it already."), _NOTHING),
    "commons_not_empty": (
        _("The commons cannot be archived yet"),
        _("Money, a pledge, work, a sharing or a transfer still waits in it."),
        _("Finish what the answer names, then archive it."),
    ),
    "budget_not_suspended": (
        _("The budget is not suspended"),
        _("It takes pledges already, or it is closed."),
        _NOTHING,
    ),
    # --- public texts -----------------------------------------------------------------------------------------------
    "text_not_found": (
        _("There is no such public text"),
        _("The thing has no such text, or it is empty."),
        _("Choose a text on the page of the commons."),
    ),
    "text_withdrawn": (_("The text is withdrawn already"), _("Somebody else withdrew it."), _NOTHING),
    "moderation_not_found": (
        _("There is no such withdrawn text"),
        _("The address of the page is wrong."),
        _("Look at the list of withdrawn texts."),
    ),
}
