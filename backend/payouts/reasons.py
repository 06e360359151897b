"""Why a bank did not make a transfer, or sent it back, in words: ISO 20022 external status and return reason codes."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# The account or its holder is at fault: paying it again as it is would fail again.
OF_ACCOUNT = frozenset({"AC01", "AC03", "AC04", "AC06", "AG01", "BE04", "MD07", "RC01"})

# Source: ISO 20022 external code sets, the reasons that the SEPA credit transfer rulebook lists (EPC125-05).
REASONS: dict[str, "str | Promise"] = {
    "AC01": _("the account number is wrong"),
    "AC03": _("the account number of the payee is not valid"),
    "AC04": _("the account is closed"),
    "AC06": _("the account is blocked"),
    "AG01": _("this account takes no transfers"),
    "AG02": _("the bank does not make this kind of operation"),
    "AM04": _("there was not enough money on the account"),
    "AM05": _("the bank says that it had this transfer already"),
    "BE04": _("the address of the payee is missing"),
    "CNOR": _("the bank of the payee cannot be reached"),
    "CUST": _("the payer or the payee asked for it"),
    "DNOR": _("the bank of the payer is not known"),
    "DUPL": _("it was sent twice"),
    "FF01": _("the file is not as the bank wants it"),
    "FOCR": _("it was called back"),
    "FRAD": _("the bank suspects a fraud"),
    "MD07": _("the holder of the account died"),
    "MS02": _("the payee refused it"),
    "MS03": _("the bank gives no reason"),
    "RC01": _("the identifier of the bank is wrong"),
    "RR01": _("the law asks for the account of the payer"),
    "RR02": _("the law asks for the name or address of the payer"),
    "RR03": _("the law asks for the name or address of the payee"),
    "RR04": _("the law forbids it"),
    "SL01": _("the payee told their bank to refuse it"),
    "TECH": _("something broke at the bank"),
    "TM01": _("the file came too late in the day"),
}
OTHER = "NARR"  # a reason in words, as ISO 20022 calls it


def in_words(code: str) -> str:
    """What a code says; the code itself when it is none of those."""
    return str(REASONS.get(code, code))
