"""Refusals about personal data: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "erasure_not_confirmed": (
        _("The erasure is not confirmed"),
        _("The address that was typed is not that of the account."),
        _("Type the address of your account, the one you sign in with."),
    ),
    "erasure_not_found": (
        _("There is no such request"),
        _("No erasure has this number, or it is not yours."),
        _("Look at the page of your personal data."),
    ),
    "erasure_over": (
        _("The erasure is done"),
        _("The person was erased: their key is destroyed, nothing brings them back."),
        _("Nothing can be done. Whoever comes back opens another account."),
    ),
    "erasure_money_owed": (
        _("Money is owed to this person"),
        _("A share, a payout or a batch is not settled: without an account it could never be paid."),
        _("Wait until it is paid and seen on the bank’s statement; the erasure is tried again each day."),
    ),
    "erasure_work_waits": (
        _("Work waits to be shared"),
        _("A contribution is declared, validated or being shared, or agreed amounts await an answer."),
        _("Withdraw the work, or wait until its period is paid."),
    ),
    "erasure_only_treasurer": (
        _("There is no other treasurer"),
        _("Without one, nobody could pay or close anything."),
        _("Name another treasurer first."),
    ),
    "erasure_only_administrator": (
        _("There is no other administrator"),
        _("Without one, nobody could give roles or answer requests."),
        _("Name another administrator first."),
    ),
    "erasure_only_manager": (
        _("There is no other manager"),
        _("An organisation with members, or with a pledge that is awaited, needs somebody who speaks for it."),
        _("Name another manager of the organisation first."),
    ),
    "erasure_only_steward": (
        _("Nobody else takes care of the budget"),
        _("A budget that is open needs a steward."),
        _("Name another steward first, or close the budget."),
    ),
    "person_not_found": (
        _("No account has this address"),
        _("The address is not that of an account, or the person is erased already."),
        _("Check the address; people may have written from another one."),
    ),
}
