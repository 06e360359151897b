"""The one table of what is done in the background: workers, the timetable and `manage.py sweep` all read it."""

from collections.abc import Callable
from datetime import datetime

from backend.banking.services import match_due
from backend.contributions.deliveries import treat_forges
from backend.contributions.peers import accept_due
from backend.contributions.rounds import remind_due as remind_of_rounds
from backend.distributions.services import close_due, compute_due
from backend.events.sealing import chain_due
from backend.exports.retention import keep_names
from backend.identity.tokens import warn_of_end
from backend.ledger.services import expire_due, seal_due
from backend.notifications.digests import digest_due
from backend.notifications.services import compose_due, send_due
from backend.operations.host import apply_due
from backend.operations.selfcheck import check_due
from backend.payments.asking import ask_due, poll_due
from backend.payments.notices import treat_notices
from backend.payments.reconciling import reconcile_due
from backend.payments.surpluses import apply_due as apply_surpluses
from backend.payouts.services import void_changed
from backend.pledges.services import call_due, remind_due
from backend.privacy.erasure import erase_due
from backend.privacy.retention import retain

SWEEPS: dict[str, Callable[[datetime], int]] = {
    "banking.match": match_due,
    "contributions.accept_due": accept_due,
    "contributions.treat_forges": treat_forges,
    "contributions.remind_rounds": remind_of_rounds,
    "distributions.close_due": close_due,
    "distributions.compute": compute_due,
    "events.seal": chain_due,
    "exports.keep_names": keep_names,
    "identity.warn_of_tokens": warn_of_end,
    "host.accounts": apply_due,
    "ledger.expire_holds": expire_due,
    "ledger.seal": seal_due,
    "notifications.compose": compose_due,
    "notifications.digest": digest_due,
    "notifications.send": send_due,
    "operations.selfcheck": check_due,
    "payments.apply_surpluses": apply_surpluses,
    "payments.ask_provider": ask_due,
    "payments.poll_provider": poll_due,
    "payments.reconcile": reconcile_due,
    "payments.treat_notices": treat_notices,
    "payouts.void_changed": void_changed,
    "pledges.call_due": call_due,
    "pledges.remind_due": remind_due,
    "privacy.erase": erase_due,
    "privacy.retain": retain,
}
