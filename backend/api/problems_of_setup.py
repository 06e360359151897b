"""Refusals about the first run, invitations and mail: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    # --- the first run ----------------------------------------------------------------------------------------------
    "already_set_up": (
        _("The instance is set up"),
        _("It has an administrator who can sign in: the one-time address has no more effect."),
        _("Sign in as the administrator, or ask them."),
    ),
    "setup_address_over": (
        _("The set-up address is wrong or too old"),
        _("It is good for 24 hours after it was printed."),
        _("Print another one on the server: manage.py set_up."),
    ),
    "administrator_as_treasurer": (
        _("The administrator is neither treasurer nor steward"),
        _("Who gives roles never touches money: they are different people."),
        _("Name another person."),
    ),
    "by_mail_alone": (
        _("This invitation goes by mail alone"),
        _("Whoever reads its link may open an account that moves money, is paid, or acts for an organisation."),
        _("Send this invitation by mail; once mail leaves, send it again."),
    ),
    "came_by_hand": (
        _("Who came by a link shown is no treasurer"),
        _("An administrator read the link that opened the account, and may hold it."),
        _("Name somebody who came by mail."),
    ),
    "steward_there": (
        _("Somebody takes care of this pot already"),
        _("An administrator alone chooses the first steward of a pot, not a second one."),
        _("Send the invitation by mail, or ask the steward who is there."),
    ),
    "steward_takes_two": (
        _("Somebody else names the next steward"),
        _("Who ends the role of the last steward of a pot does not choose the one who follows."),
        _("Ask a treasurer, or an administrator who was there before."),
    ),
    "time_zone_unknown": (
        _("The time zone is not known"),
        _("A host keeps its calendar in one of the zones of the IANA list."),
        _("Choose one of the list, such as Europe/Paris."),
    ),
    "account_takes_two": (
        _("A bank account is added by two people"),
        _("Money has moved already: a wrong account could send it elsewhere."),
        _("Propose the account on the page of the host; another person accepts it."),
    ),
    "iban_known": (
        _("The IBAN is registered already"),
        _("A bank account is registered once."),
        _("Use the account that is there."),
    ),
    "period_length": (
        _("The period is too short or too long"),
        _("Its last day comes after its first one, two years later at most."),
        _("Correct the days."),
    ),
    "approvals_out_of_range": (
        _("The number of approvals is out of range"),
        _("A contribution takes from one to nine approvals."),
        _("Choose a number between them, not more than there are stewards."),
    ),
    # --- people -----------------------------------------------------------------------------------------------------
    "email_invalid": (
        _("This is not an e-mail address"),
        _("An address has a name, an @ and a domain."),
        _("Correct the address."),
    ),
    "password_refused": (
        _("The password is refused"),
        _("It is too short, too common, too close to the name or the address, or not that of the account."),
        _("Choose a sentence of 15 characters or more."),
    ),
    "invitation_over": (
        _("The invitation no longer works"),
        _("Its link was used, or it is older than seven days."),
        _("Sign in if you have chosen your password; otherwise ask for another invitation."),
    ),
    "invitation_not_found": (
        _("There is no invitation that waits"),
        _("The person has accepted already, or was never invited."),
        _("Look at the list of the set-up."),
    ),
    # --- mail -------------------------------------------------------------------------------------------------------
    "mail_not_working": (
        _("Mail does not leave"),
        _("The mail server cannot be reached, or refuses what the settings say."),
        _("The answer names the setting; correct it, then run manage.py check_mail again."),
    ),
    "bounce_too_large": (
        _("The delivery report is too large"),
        _("A report is at most one megabyte."),
        _("Nothing is to be done: no report of ours is that large."),
    ),
    "bounce_unreadable": (
        _("The delivery report cannot be read"),
        _("It is not a message that a mail server writes."),
        _("Nothing is to be done."),
    ),
}
