"""What others may do with pledges: one door to the modules of this folder."""

from backend.pledges.calling import call_due, remind_due, unpaid
from backend.pledges.changing import (
    Changes,
    cancel_act,
    cancel_pledge,
    change_pledge,
    is_payer,
    pause_pledge,
    require_payer,
    resume_pledge,
)
from backend.pledges.instalments import (
    allocate,
    note_received,
    pledge_in_text,
    pledges_in_text,
    share,
    write_off_instalment,
)
from backend.pledges.making import make_pledge, make_pledges
from backend.pledges.terms import Terms

__all__ = [
    "Changes", "Terms", "allocate", "call_due", "cancel_act", "cancel_pledge", "change_pledge", "is_payer",
    "make_pledge", "make_pledges", "note_received", "pause_pledge", "pledge_in_text", "pledges_in_text", "remind_due",
    "require_payer", "resume_pledge", "share", "unpaid", "write_off_instalment",
]  # fmt: skip
