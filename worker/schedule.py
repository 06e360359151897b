"""The timetable: how often each sweep runs even when nobody asks, in seconds."""

from typing import Any

TIMETABLE: dict[str, int] = {
    "banking.match": 20,
    "contributions.accept_due": 60,
    "contributions.treat_forges": 20,
    "contributions.remind_rounds": 60,
    "distributions.close_due": 60,
    "distributions.compute": 20,
    "events.seal": 60,
    "exports.keep_names": 60,
    "host.accounts": 60,
    "identity.warn_of_tokens": 60,
    "ledger.expire_holds": 60,
    "ledger.seal": 30,
    "notifications.compose": 20,
    "notifications.digest": 60,  # looks who was not written to since this morning
    "notifications.send": 30,
    "payments.apply_surpluses": 60,
    "payments.ask_provider": 20,
    "payments.poll_provider": 60,  # looks again at what is an hour old
    "payments.reconcile": 60,  # looks whether the last comparison is a day old
    "payments.treat_notices": 20,
    "payouts.void_changed": 60,
    "pledges.call_due": 60,
    "pledges.remind_due": 60,
    "privacy.erase": 60,
    "privacy.retain": 60,  # looks whether the last run is a day old
    "operations.selfcheck": 60,  # looks whether the last run is ten minutes old: a lost tick costs one minute
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The timetable as Celery's beat wants it; a tick not taken up before the next one is dropped."""
    return {
        name: {"task": "tronc.sweep", "schedule": seconds, "args": [name], "options": {"expires": seconds}}
        for name, seconds in TIMETABLE.items()
    }
