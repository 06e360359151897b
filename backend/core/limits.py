"""How often one person may send the forms that write to others or hide what they wrote: one table."""

# Name of the page → at most so many forms sent in so long, by one signed-in person, or by one address for strangers.
# The keys of allauth's own limits (settings) and these live in one dictionary, in Django's database cache.
ROUTE_RATES: dict[str, str] = {
    # invitations write to an address that somebody typed
    "setup_person": "30/h/user",
}

# The forms in which a stranger writes an address: their answers come no sooner than this, since what is done for an
# address that has an account takes another time than for one that has none.
STRANGERS_FORMS = {"account_reset_password", "account_request_login_code", "account_signup"}
STRANGERS_SECONDS = 0.4
