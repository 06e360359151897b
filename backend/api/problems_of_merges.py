"""Refusals about two accounts of one person: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

_LATER = _("Settle it, then open the link again: it works for seven days, and another one can be asked for.")
PROBLEMS: dict[str, tuple[object, object, object]] = {
    "account_merged": (
        _("This account is closed"),
        _("It was merged into another account of the same person while this was being sent."),
        _("Sign in with the account that stays, and send it again there."),
    ),
    "merge_with_oneself": (
        _("This address is in this account already"),
        _("A merge takes two accounts."),
        _("Type the address of the other account. Addresses of one account are seen on its page “Your addresses”."),
    ),
    "merge_awaited": (
        _("A request waits already"),
        _("One account asks for one merge at a time."),
        _("Take the other request back, or wait until it is confirmed or seven days old."),
    ),
    "merge_not_found": (
        _("This link does not work"),
        _("It was used, taken back, is older than seven days, or is for another account than the one signed in."),
        _("Sign in with the account of the address that the link was sent to, or ask for another link."),
    ),
    "merge_over": (
        _("The request has ended"),
        _("It was confirmed, taken back or is too old, or one of the two accounts is closed by now."),
        _("Look at the page “I have another account”; ask again if need be."),
    ),
    "merge_other_account": (
        _("This is the account that asked"),
        _("The other account confirms: only so is it sure that both are of the same person."),
        _("Sign out, sign in with the other account, and open the link again."),
    ),
    "merge_busy": (
        _("Somebody is at work on this"),
        _("A review, an amendment or a closing is being written on the work that would go over."),
        _("Try again in a minute."),
    ),
    "merge_own_review": (
        _("One account spoke of the work of the other"),
        _("The two accounts would be one person, who would have reviewed, decided or recorded their own work."),
        _("Speak with a treasurer of the host: what was decided is looked at first. The accounts stay two."),
    ),
    "merge_reviewed_twice": (
        _("Both accounts reviewed the same work"),
        _("One person has one voice on work that is not shared out yet."),
        _LATER,
    ),
    "merge_objection_open": (
        _("An objection is open"),
        _("The account that ends raised it and alone lifts it."),
        _LATER,
    ),
    "merge_begun": (
        _("Something awaits a second person"),
        _("The account that ends proposed or prepared it, and the one that stays could decide it."),
        _LATER,
    ),
    "merge_money_owed": (
        _("Money is owed to the account that ends"),
        _("What is booked is paid to the account it was booked for."),
        _LATER,
    ),
    "merge_being_shared": (
        _("Work is in a distribution"),
        _("A distribution that is computed does not change: its work stays with the account that declared it."),
        _LATER,
    ),
    "merge_correction_waits": (
        _("A correction is under way"),
        _("It says what was forgotten in work that stays with the account that ends, and is of the same account."),
        _LATER,
    ),
    "merge_kept_back": (
        _("Something is to be kept back"),
        _("Too much was given to the account that ends; it would never be kept back if its later work left it."),
        _("Ask from that account: it is then the one that stays."),
    ),
    "merge_pledge_awaited": (
        _("A gift is awaited"),
        _("The account that ends promised it, and nobody could change or stop it any more."),
        _LATER,
    ),
    "merge_host_role": (
        _("The account that ends has a role of the host"),
        _("Treasurers, auditors and administrators are named and removed by others, never by a link."),
        _("Ask from that account: it is then the one that stays. Or have the role withdrawn first."),
    ),
    "merge_only_holder": (
        _("Nobody else holds a role"),
        _("Roles do not go over, and a budget or an organisation would have nobody."),
        _LATER,
    ),
    "merge_erasure_waits": (
        _("An erasure waits"),
        _("One of the two accounts is about to be erased."),
        _("Stop the erasure on the page of personal data, then open the link again."),
    ),
}
