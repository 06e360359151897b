"""Refusals about organisations, their members, and what is recorded for somebody else: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    # --- details ----------------------------------------------------------------------------------------------------
    "siret_invalid": (
        _("This is not a SIRET"),
        _("A SIRET has fourteen figures that check one another; the first nine are the SIREN."),
        _("Copy it from a paper, or leave it empty."),
    ),
    "siret_of_another": (
        _("The SIRET belongs to another SIREN"),
        _("The first nine figures of a SIRET are the SIREN of the same organisation."),
        _("Correct one of the two."),
    ),
    "vat_status_unknown": (
        _("The answer about VAT is not known"),
        _("An organisation is not liable, exempt as a small one, liable, or has not said."),
        _("Choose one of these answers."),
    ),
    "vat_number_invalid": (
        _("This is not a VAT number"),
        _("A number of the European Union begins with the two letters of a country, then its figures."),
        _("Copy it from an invoice, or leave it empty."),
    ),
    "vat_number_without_vat": (
        _("Only an organisation liable for VAT has a VAT number"),
        _("A number was given with another answer."),
        _("Empty the number, or say that the organisation is liable."),
    ),
    "address_incomplete": (
        _("The address lacks something"),
        _("An address has its lines, a postal code, a city and the two letters of a country."),
        _("Complete it, or leave all of it empty."),
    ),
    # --- members ----------------------------------------------------------------------------------------------------
    "offer_not_found": (
        _("Nothing awaits your answer here"),
        _("The invitation was taken back, or you answered it already."),
        _("Ask who invited you to do it again."),
    ),
    "member_not_found": (
        _("There is no such member"),
        _("The person was removed, has left, or never was a member."),
        _("Look at the list of the members."),
    ),
    "member_already": (
        _("This person is a member already"),
        _("Somebody has one role in an organisation."),
        _("Change their role in the list of the members."),
    ),
    "member_role_unknown": (
        _("The role is not known"),
        _("In an organisation one is a member or a manager."),
        _("Choose one of the two."),
    ),
    "last_manager": (
        _("The last manager stays"),
        _("Without a manager nobody could invite, set limits or correct the details."),
        _("Name another manager; once they have signed in, the first one may go."),
    ),
    "too_many_invitations": (
        _("Too many invitations in a day"),
        _("An organisation sends fifty invitations a day at most."),
        _("Go on tomorrow."),
    ),
    "above_spending_limit": (
        _("The pledge is above what this person may pledge"),
        _("A manager of the organisation set a limit per pledge or per calendar year."),
        _("Choose a smaller amount, or ask a manager to raise the limit or to pledge."),
    ),
    # --- merges -----------------------------------------------------------------------------------------------------
    "merged_with_itself": (
        _("An organisation is not merged with itself"),
        _("The two ids are the same."),
        _("Choose two different organisations."),
    ),
    "organisation_merged": (
        _("The organisation was merged into another one"),
        _("Its pledges and members went over; nobody acts for it any more."),
        _("Act for the organisation it became."),
    ),
    # --- recorded for somebody else ---------------------------------------------------------------------------------
    "channel_unknown": (
        _("How it was said is not known"),
        _("What is recorded came by paper, by a call or in a meeting."),
        _("Choose one of the three."),
    ),
    "confirmation_unknown": (
        _("How it will be confirmed is not known"),
        _("Somebody confirms by mail or by letter."),
        _("Choose one of the two."),
    ),
    "note_length": (
        _("The note is too long"),
        _("It has 500 characters at most."),
        _("Shorten it."),
    ),
    "organisation_unknown": (
        _("The organisation is not in the list"),
        _("A steward records for organisations that pledged to the same commons, a treasurer for all of them."),
        _("Choose one of the list, or name a new one with its contact."),
    ),
    "organisation_without_manager": (
        _("Nobody could confirm for this organisation"),
        _("It has no manager any more."),
        _("Record it with a contact, then have the two merged."),
    ),
    "person_unknown": (
        _("The person is not in the list"),
        _("Work is recorded for people of the budget, or for somebody new."),
        _("Choose one of the list, or give a name and an address."),
    ),
    "recorded_for_oneself": (
        _("Nothing is recorded for oneself"),
        _("Whoever records asks somebody else to confirm."),
        _("Do it in your own name."),
    ),
    "own_recording": (
        _("Nobody reviews or confirms what they recorded"),
        _("The person who typed it is the one who signs in here."),
        _("Somebody else reviews it; the person it is for confirms it."),
    ),
    "recording_not_found": (
        _("The code is wrong or too old"),
        _("A code is good for ninety days and until it is answered."),
        _("Copy it again from the mail or the letter, or write to who sent it."),
    ),
    "confirmed_by_mail": (
        _("This is confirmed by mail"),
        _("The person was asked by mail, and answers it alone."),
        _("Send the mail again, or wait for their answer."),
    ),
    "letter_before_told": (
        _("The letter is older than what it confirms"),
        _("It is dated before the day on which it was said."),
        _("Copy the date that stands on the letter."),
    ),
    "confirmed_by_letter": (
        _("This is confirmed by letter"),
        _("No mail asks for it."),
        _("Print the letter again, or type in the date of the signed one."),
    ),
    "recording_answered": (
        _("It was answered already"),
        _("What was recorded is confirmed or contested once."),
        _("Write to the person who recorded it if the answer was wrong."),
    ),
    # --- taken back, and people without an address ------------------------------------------------------------------
    "recorded_by_another": (
        _("Somebody else recorded this"),
        _("Only whoever typed a record takes it back; the person it is for contests it."),
        _("Ask the one who recorded it, or send the person the page to contest it."),
    ),
    "pledge_received": (
        _("Money was received for this pledge"),
        _("A recorded pledge is taken back only while nothing was received for it."),
        _("Settle it with the organisation."),
    ),
    "contribution_shared": (
        _("A distribution has taken this work"),
        _("Recorded work is taken back only before it is in a distribution."),
        _("Settle it with the person."),
    ),
    "asked_without_address": (
        _("This person has no e-mail address"),
        _("They were recorded by name alone, so no mail can ask them to confirm."),
        _("Choose the letter, or note their address on the page of the earlier record."),
    ),
    "address_known": (
        _("This person has an address already"),
        _("Only somebody recorded without an address is given one by another person."),
        _("Let them change it in their account."),
    ),
    "address_of_another": (
        _("This address is that of somebody who spoke of this work"),
        _("Its account recorded, reviewed or questioned work of this person: nobody does that of their own."),
        _("Check the address. If it is the same person, withdraw the work and record it again for that account."),
    ),
    "address_while_paid": (
        _("Work of this person is being shared out"),
        _("What is booked stays under the name it was booked for, so it is paid before the work goes over."),
        _("Wait until it is paid, then note the address again."),
    ),
}  # fmt: skip
