"""How often one person may send the forms that write to others or hide what they wrote: one table."""

# Name of the page → at most so many forms sent in so long, by one signed-in person, or by one address for strangers.
# The keys of allauth's own limits (settings) and these live in one dictionary, in Django's database cache.
ROUTE_RATES: dict[str, str] = {
    # these write to an address that somebody typed, or to people on somebody's behalf
    "setup_person": "30/h/user",
    "setup_commons": "30/h/user",
    "member_invite": "30/h/user",
    "role_new": "30/h/user",
    "commons_propose": "10/h/user",
    "record_pledge": "60/h/user",
    "record_work": "60/h/user",
    "recording_again": "30/h/user",
    "merge": "10/d/user",
    "host_change": "20/h/user",
    "host_account_new": "20/h/user",
    # these hide, erase or carry away what people wrote
    "text_withdraw": "60/h/user",
    "personal_erase": "10/h/user",
    "personal_export": "10/h/user",
    "erasures": "30/h/user",
    "audit_file": "20/h/user",
    "tokens": "30/h/user",
    "merge_confirm": "30/15m/user",
    # without an account: secrets in addresses and codes are guessed at no more often than this
    "give": "20/h/ip,60/d/ip",
    "gift_pay": "30/15m/ip",
    "gift_subscription": "30/15m/ip",
    "gift_stop": "30/15m/ip",
    "gift_forget": "30/15m/ip",
    "confirm": "20/15m/ip",
    "confirmation": "30/15m/ip",
    "invitation": "30/15m/ip",
    "payee_block": "30/15m/ip",
    "setup_start": "30/15m/ip",
    "account_confirm_email": "30/15m/ip",
    "account_confirm_login_code": "30/15m/ip",
    "mfa_login_webauthn": "30/15m/ip",
}
# Pages of the table that a link reads: each reading counts, not only what a form sends.
READ_TOO = {"audit_file"}

# The forms in which a stranger writes an address: their answers come no sooner than so many times this, since what is
# done for an address that has an account takes another time than for one that has none. Signing up hashes a password.
STRANGERS_FORMS = {"account_reset_password": 1, "account_request_login_code": 1, "account_signup": 3}
STRANGERS_SECONDS = 0.4
