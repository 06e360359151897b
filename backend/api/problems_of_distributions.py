"""Refusals about approving distributions, arbitrations and simulations: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "share_not_found": (
        _("There is no such share"),
        _("No share has this id, or it is of a distribution that you may not read."),
        _("List the shares, and copy the id from there."),
    ),
    "share_of_another": (
        _("This is the share of another person"),
        _("Only the person whose share it is gives it back, chooses its payee or hands over its document."),
        _("Ask that person: nobody does it for them."),
    ),
    "share_not_waivable": (
        _("This share cannot be given back"),
        _("It is not approved yet, it was given back or paid already, or a payout batch holds it."),
        _("Give up the request while its period is open, or wait until the batch is refused."),
    ),
    "waived_more_than_due": (
        _("More than is due"),
        _("The amount to give back passes what is due of the share."),
        _("Give back at most what is due."),
    ),
    "budget_over": (
        _("The budget is closed"),
        _("The share came from a budget that is closed or archived: it takes no money back."),
        _("Speak with a treasurer of the host."),
    ),
    "objection_delay": (
        _("The time for objections is not over"),
        _("The charter leaves some days between the publication of a distribution and its approval."),
        _("Wait for the day that the answer names."),
    ),
    "distribution_objected": (
        _("An objection to the distribution stands"),
        _("Somebody of the budget objected to the published amounts, and this has not ended."),
        _("Wait until it is lifted, decided by stewards, or answered by amounts that those concerned accept."),
    ),
    "objection_decided": (
        _("Your objection was decided already"),
        _("Nobody objects twice to the same amounts once stewards have decided."),
        _("Object again if the amounts change, or propose other amounts to a steward."),
    ),
    "arbitration_waiting": (
        _("An arbitration awaits its answers"),
        _("Amounts agreed at a meeting were entered, and somebody they change has not answered yet."),
        _("Wait for the answers, or ask the person who entered it to withdraw it."),
    ),
    "own_arbitration": (
        _("You entered the amounts agreed at the meeting"),
        _("Nobody approves their own act, nor records the answers of others to it."),
        _("Ask another treasurer."),
    ),
    "arbitration_not_found": (
        _("There is no such arbitration"),
        _("No arbitration that you may see has this id."),
        _("The arbitrations of a distribution are shown with it."),
    ),
    "arbitration_person_unknown": (
        _("This person is not in the distribution"),
        _("An arbitration gives amounts to people of the distribution only."),
        _("Name people who have a share, be it of zero."),
    ),
    "arbitration_purse_unknown": (
        _("This budget is not shared by the distribution"),
        _("An amount is of the money of a purse that was frozen with the period."),
        _("Name the budget of the period, or an envelope that follows its charter."),
    ),
    "arbitration_changes_nothing": (
        _("These are the amounts that hold already"),
        _("An arbitration changes at least one amount."),
        _("Give another amount, or leave the computation as it is."),
    ),
    "arbitration_above_money": (
        _("The agreed amounts are above the money"),
        _("What is given from a purse is at most what it had to share."),
        _("Lower the amounts."),
    ),
    "arbitration_ended": (
        _("The arbitration no longer waits"),
        _("It was accepted, refused or withdrawn; the answer names its state."),
        _("Enter another one while the distribution is not approved."),
    ),
    "already_answered": (
        _("This answer was already given"),
        _("A person answers an arbitration once."),
        _("The person who entered it can withdraw it while it waits, and enter another."),
    ),
    "not_concerned": (
        _("The arbitration does not change this amount"),
        _("Only those whose amount changes answer."),
        _("Nothing is to be done."),
    ),
    "not_your_arbitration": (
        _("Only who entered an arbitration takes it back"),
        _("Somebody else entered it."),
        _("Refuse it if it changes your amount, or ask them."),
    ),
    "too_many_charters": (
        _("Too many charters, or none, to compare"),
        _("A simulation computes one to eight charters over a period."),
        _("Compare fewer at a time."),
    ),
}
