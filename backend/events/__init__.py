"""One append-only Event per business fact: it feeds the activity page, the audit trail and the mail."""
