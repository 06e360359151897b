"""What may be wrong with a request before the domain sees it: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "token_missing": (
        _("A token is needed"),
        _("The request carries no token. Everything under /v1/ needs one, public data included."),
        _("Make a token on your page of tokens, then send it in the header “Authorization: Bearer …”."),
    ),
    "token_invalid": (
        _("The token is not valid"),
        _("The token is unknown, has expired, was revoked, or its owner’s account is disabled."),
        _("Check that it was copied whole. Otherwise make another on your page of tokens."),
    ),
    "token_environment": (
        _("The token is of another instance"),
        _("Tokens of a demonstration begin with tronc_test_, those of a real host with tronc_live_."),
        _("Make a token on the page of tokens of the instance that you call."),
    ),
    "scope_missing": (
        _("The token lacks a scope"),
        _("A token does only what its scopes name, even when its owner may do more."),
        _("The header WWW-Authenticate names the scope. Make a token that has it."),
    ),
    "secret_in_address": (
        _("A secret stood in the address"),
        _("Addresses are kept in logs, histories and links: a token written there can be read by others."),
        _("Revoke that token, make another, and send it in the header Authorization."),
    ),
    "https_required": (
        _("Plain http is refused"),
        _("Without https the token and the data travel in the open. The request was not redirected on purpose."),
        _("Use an address that begins with https, and revoke the token that was sent in the open."),
    ),
    "not_allowed": (
        _("Your roles do not allow this"),
        _("Neither the roles of the token’s owner nor those of the person signed in allow this act here."),
        _("Ask a steward of the budget, a manager of the organisation or a treasurer for the role, or to act."),
    ),
    "not_found": (
        _("Nothing at this address"),
        _("The address is mistyped, or the thing is not yours to see: both answers are the same on purpose."),
        _("Compare the address with the reference of the API. Addresses under /v1/ end without a slash."),
    ),
    "method_not_allowed": (
        _("This address does not take this method"),
        _("The resource exists, but not with this method."),
        _("The header Allow lists the methods it takes."),
    ),
    "not_acceptable": (
        _("The API answers in JSON only"),
        _("The header Accept excludes application/json."),
        _("Leave the header Accept out, or add application/json to it."),
    ),
    "media_type_not_json": (
        _("The body is not announced as JSON"),
        _("The header Content-Type is missing or names another format."),
        _("Send the header “Content-Type: application/json”."),
    ),
    "body_too_large": (
        _("The body is too large"),
        _("A body of the API is at most 1 MiB."),
        _("Shorten the texts, or send the work in several requests."),
    ),
    "json_malformed": (
        _("The body is not JSON"),
        _("The body breaks the grammar of JSON, for instance a missing quote or a comma too many."),
        _("The answer names the line and the column. Let a library write the JSON rather than a text template."),
    ),
    "json_not_utf8": (
        _("The body is not UTF-8"),
        _("Some bytes of the body are not UTF-8 text; they were probably written in another encoding."),
        _("Encode the body as UTF-8."),
    ),
    "json_too_deep": (
        _("The body nests too deeply"),
        _("The body holds more than 20 levels of lists and objects."),
        _("Send the fields of the reference: none of them nests more than two levels."),
    ),
    "json_duplicate_key": (
        _("A field is given twice"),
        _("The same name stands twice in one object, so that the request has two meanings."),
        _("Give each field once."),
    ),
    "invalid_fields": (
        _("Some fields are not accepted"),
        _("Fields are missing, unknown, or not of the type that the reference gives."),
        _("Each member of “errors” names one field by its JSON pointer and says what it should be. Correct them all."),
    ),
    "unknown_field": (
        _("A field is not known"),
        _("The body holds a field that this resource does not have, often a mistyped name."),
        _("Remove it or correct its name: the answer lists the names that are known."),
    ),
    "missing_field": (
        _("A required field is missing"),
        _("The body lacks a field that has no default."),
        _("Add it: the reference of the resource says what it holds."),
    ),
    "wrong_type": (
        _("A field has the wrong type"),
        _("The value is of another JSON type than the field: a text for a number, for instance."),
        _("Write numbers without quotes, texts with quotes, lists between brackets, objects between braces."),
    ),
    "not_whole": (
        _("A number is not a plain whole number"),
        _("Amounts are in minor units and durations in minutes: 1.0, 1e3 and NaN are refused."),
        _("Write figures only: 45.00 € is 4500."),
    ),
    "out_of_range": (
        _("A value is out of range"),
        _("The number or the list is larger than anything that can be kept."),
        _("Check the unit: amounts are in minor units, durations in minutes."),
    ),
    "not_a_day": (
        _("This is not a day"),
        _("Days are written year-month-day and must exist in the calendar."),
        _("Write 2026-11-20 for 20 November 2026."),
    ),
    "text_unreadable": (
        _("A text holds characters that cannot be kept"),
        _("The text holds control characters, or halves of characters."),
        _("Remove them; accents, other scripts and emoji are welcome."),
    ),
    "text_too_long": (
        _("A text is too long"),
        _("The text passes the length that the reference gives."),
        _("Shorten it, and put the rest behind a link."),
    ),
    "unknown_parameter": (
        _("A parameter of the address is not known"),
        _("The address carries a parameter that this list does not have. Ignored, it would give you other rows."),
        _("Remove it or correct its name: the answer lists the names that are known."),
    ),
    "parameter_repeated": (
        _("A parameter is given twice"),
        _("Each parameter of the address stands once at most."),
        _("Make one request per value."),
    ),
    "parameter_invalid": (
        _("A parameter has an unknown value"),
        _("The value of the parameter cannot be read, or is not among those that are known."),
        _("The answer names the parameter and what it takes. Cursors are copied from next_cursor, never made."),
    ),
    "if_match_missing": (
        _("The header If-Match is missing"),
        _("What is changed or deleted is named as it was read, so that nobody overwrites what they have not seen."),
        _("Read it, and send its ETag in the header If-Match."),
    ),
    "if_match_invalid": (
        _("The header If-Match cannot be read"),
        _("It holds one or several ETags, each between double quotes, or a star."),
        _("Copy the ETag as the answer gave it, with its quotes."),
    ),
    "changed_meanwhile": (
        _("It has changed since you read it"),
        _("The ETag of the header If-Match is that of an earlier state."),
        _("Read it again, look at what changed, and send the change with the new ETag."),
    ),
    "idempotency_key_missing": (
        _("The Idempotency-Key is missing"),
        _("Every POST needs one, so that a request repeated after a lost answer never acts twice."),
        _("Make a value of your own for each act (a UUID does), and send the same one when you repeat it."),
    ),
    "idempotency_key_invalid": (
        _("The Idempotency-Key cannot be used"),
        _("A key has 1 to 255 visible ASCII characters, without spaces."),
        _("Use a UUID."),
    ),
    "idempotency_key_in_flight": (
        _("The first request is still running"),
        _("Another request with the same Idempotency-Key has not ended yet."),
        _("Wait for the seconds of Retry-After and send it again: you get the answer of the first one."),
    ),
    "idempotency_key_reused": (
        _("The Idempotency-Key was used for something else"),
        _("A key belongs to one request for 30 days: the same method, address and body."),
        _("Use a new key for a new act. Nothing was done twice."),
    ),
    "too_many_requests": (
        _("Too many requests"),
        _("The token made more requests in a minute than it may; the header RateLimit-Policy gives the number."),
        _("Wait for the seconds of Retry-After. Ask for 100 rows at a time rather than one by one."),
    ),
    "service_unavailable": (
        _("The service cannot answer for the moment"),
        _(
            "The database is restarting or busy. What was answered with success is kept; "
            "this request may or may not have been done."
        ),
        _(
            "Wait the number of seconds that Retry-After gives, then send the same request with the same "
            "Idempotency-Key: it is done once."
        ),
    ),
    "internal_error": (
        _("Something broke on our side"),
        _("The request met a case that we had not foreseen. Its trace is in our log under the request id."),
        _("Send us the request id. Sending the same request again with the same Idempotency-Key is safe."),
    ),
}
