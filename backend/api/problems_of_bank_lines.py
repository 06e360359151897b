"""The refusals of what a person says of bank lines: split, booked, told twice, undone."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "parts_missing": (
        _("No part"),
        _("A line is split in at least one part, of a pledge or of an account."),
        _("Say what the line is, and the amount of each part."),
    ),
    "parts_too_many": (
        _("Too many parts"),
        _("A line is split in twenty parts at most."),
        _("Put some of the parts together."),
    ),
    "part_amount": (
        _("Amount of a part"),
        _("A part is zero, or of the other direction than its line."),
        _("Write amounts above zero for money received, below zero for money that left."),
    ),
    "parts_differ": (
        _("The parts are not the line"),
        _("The parts do not come to the amount of the line, to the cent."),
        _("Correct the amounts, or add a part for what is left."),
    ),
    "pledge_twice": (
        _("The same pledge in two parts"),
        _("A pledge stands in two parts of one line."),
        _("Make them one part."),
    ),
    "part_above_awaited": (
        _("More than the pledge awaits"),
        _("A part is above what its pledge still awaits."),
        _("Put the rest in another part, or identify the whole line as paid for this pledge: the rest is a surplus."),
    ),
    "account_not_own": (
        _("Not an account to book to"),
        _("Only the accounts of the host’s own business take bank lines by hand."),
        _("Choose an account of the list."),
    ),
    "match_not_undoable": (
        _("What was said of the line stays"),
        _("Its month is locked, others count on it, or nothing was said of it."),
        _("Read the sentence: it says what is in the way, and what to undo first."),
    ),
    "twin_not_found": (
        _("Not the same operation"),
        _("A line repeats only another one of its account and its amount, that counts."),
        _("Choose one of the lines that the page shows."),
    ),
    "proposal_changed": (
        _("The proposal changed meanwhile"),
        _("Something else came, or somebody acted, since the proposal was shown: it is not what is proposed now."),
        _("Open the list again and look at the line."),
    ),
    "rule_not_offered": (
        _("Nothing to learn"),
        _("The line was not said by a person to be something that may come again, or the rule is in force already."),
        _("Look at the rules learnt."),
    ),
    "rule_not_found": (
        _("There is no such rule"),
        _("No rule for bank lines has this identifier."),
        _("Choose it in the list of rules."),
    ),
}
