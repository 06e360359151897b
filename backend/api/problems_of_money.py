"""Refusals about the host, people's accounts, the books, payouts and bank statements: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    # --- the host, organisations, tokens, accounts ------------------------------------------------------------------
    "no_host": (
        _("This instance has no host yet"),
        _("The trusted third party that runs this instance has not been set up."),
        _("Run the first set-up, or load the demonstration with “manage.py load_demo”."),
    ),
    "host_exists": (
        _("This instance already has its host"),
        _("One instance serves one host."),
        _("Start another instance for another host."),
    ),
    "two_treasurers": (
        _("Two treasurers are needed"),
        _("Money leaves only when two people act."),
        _("Name two different people."),
    ),
    "fee_out_of_range": (
        _("The fee is out of range"),
        _("The fee is between 0 and 10000 basis points."),
        _("Write 500 for 5 %."),
    ),
    "name_missing": (
        _("A name is missing"),
        _("The name is empty."),
        _("Give it a name that others will recognise."),
    ),
    "siren_invalid": (
        _("The SIREN is not valid"),
        _("A SIREN has nine figures, the last of which checks the others."),
        _("Copy it from an official paper of the organisation."),
    ),
    "iban_of_host": (
        _("The account is the host’s own"),
        _("The IBAN is that of an account of the host, from which people are paid."),
        _("Give the account on which you are paid yourself."),
    ),
    "iban_invalid": (
        _("The IBAN is not valid"),
        _("The check digits of the IBAN do not fit the rest of it, or its length is wrong."),
        _("Copy it from a paper or a page of the bank."),
    ),
    "bic_invalid": (
        _("The BIC is not valid"),
        _("A BIC has 8 or 11 letters and figures."),
        _("Copy it from a paper or a page of the bank, or leave it empty."),
    ),
    "token_only_unknown": (
        _("The token cannot be held to this"),
        _("A token is held to one commons, or to one organisation of which its owner is a member."),
        _("Choose one of the list, or none: the token then sees what you see."),
    ),
    "token_life_unknown": (
        _("The token’s life is not one of those offered"),
        _("A token lives 30, 90, 180 or 365 days: it never outlives a year."),
        _("Choose one of the list. When it nears its end, make another."),
    ),
    "scope_unknown": (
        _("The token’s scopes are not known"),
        _("A token has at least one of the scopes that exist, and no other."),
        _("Choose what the token may do among those offered."),
    ),
    "too_many_tokens": (
        _("There are many tokens already"),
        _("A person has at most 20 live tokens, so that each can be watched."),
        _("Revoke those that are not used."),
    ),
    "token_not_found": (
        _("There is no such token"),
        _("No token of yours has this id."),
        _("Choose it in the list on your page of tokens."),
    ),
    "account_not_found": (
        _("There is no such bank account"),
        _("The host has no bank account with this id."),
        _("Choose one of those listed."),
    ),
    # --- the books --------------------------------------------------------------------------------------------------
    "purse_short": (
        _("There is not enough money in the pot"),
        _("The books would show less than nothing in a purse; PostgreSQL refuses it. Nothing was booked."),
        _("Wait for the money that is expected, or share less."),
    ),
    "fact_booked_otherwise": (
        _("The fact is already booked with other amounts"),
        _("Each fact is booked once; this one is in the books with other lines."),
        _("Read the entry that exists. A correction is a new entry."),
    ),
    # --- payouts ----------------------------------------------------------------------------------------------------
    "nothing_to_pay": (
        _("Nothing can be paid now"),
        _("No share is owed, or those who are owed have not given an account."),
        _("Approve a distribution first, and ask the payees for their IBAN."),
    ),
    "nobody_could_approve": (
        _("Nobody else may approve this batch"),
        _("Every other treasurer is paid by what waits, or asked for it, or typed its account."),
        _("Let one of them prepare the batch: you may then approve it."),
    ),
    "third_person_missing": (
        _("Nobody could approve as a third person"),
        _("What waits is above a limit of the account, and there are not two other treasurers who may approve it."),
        _("Name another treasurer, or have the limit changed by two people."),
    ),
    "bank_balance_short": (
        _("There is not enough money at the bank"),
        _("The oldest debt is more than the balance less what is in transit and in other batches."),
        _("Wait for what is in transit, or bring money to this account. Debts are paid the oldest first."),
    ),
    "format_unknown": (
        _("There is no such file format"),
        _("Payment files are of the format pain.001.001.09, or pain.001.001.03 for a bank that wants it."),
        _("Choose one of the two."),
    ),
    "name_not_latin": (
        _("A name cannot be written for the banks"),
        _("Banks write Latin letters and figures only, and nothing is left of this name."),
        _("Give the name in Latin letters, as the bank writes it."),
    ),
    "payee_without_account": (
        _("A payee has no account"),
        _("The payee has not given an IBAN to be paid on."),
        _("Ask them to give it on their page, then try again."),
    ),
    "sepa_is_in_euros": (
        _("SEPA transfers are in euros only"),
        _("The account is kept in another currency."),
        _("Choose an account in euros."),
    ),
    "batch_not_found": (
        _("There is no such batch"),
        _("No batch of transfers has this id."),
        _("Choose it in the list of payouts."),
    ),
    "own_batch": (
        _("Nobody approves the batch they prepared"),
        _("Money leaves only when two people act."),
        _("Ask another treasurer to approve it."),
    ),
    "payee_of_batch": (
        _("Nobody approves a batch that pays them"),
        _("You are one of the people it pays."),
        _("Ask another treasurer to approve it."),
    ),
    "editor_of_iban": (
        _("You changed an account that this batch pays"),
        _("The person who last typed a payee’s IBAN does not approve the batch that pays it."),
        _("Ask another treasurer to approve it."),
    ),
    "account_changed": (
        _("An account changed since the batch was prepared"),
        _("A payee gave another IBAN in the meantime, so that the file is out of date."),
        _("Refuse this batch and prepare another."),
    ),
    "own_approval": (
        _("Nobody approves a batch twice"),
        _("Above a limit of the account two different people approve, besides the one who prepared."),
        _("Ask another treasurer to approve it too."),
    ),
    "batch_void": (
        _("The batch is void"),
        _("It is not any more what was prepared: an account changed, a payee is blocked, or the file is another."),
        _("Prepare another batch: its shares and refunds can be paid again. No money moved."),
    ),
    "batch_claimed": (
        _("Somebody is handing this batch over"),
        _("Another treasurer took it to give its file to the bank, or to type its transfers there."),
        _("Ask them: what is sent twice may be paid twice."),
    ),
    "batch_handed_over": (
        _("The file was taken already"),
        _("Another treasurer took this file for the bank."),
        _("Take it again only if the bank never got it: its page says how."),
    ),
    "batch_paid_by_hand": (
        _("The transfers were typed on the bank’s site"),
        _("The file of this batch must not be used: everything would be paid twice."),
        _("Wait for the statement."),
    ),
    "batch_not_by_hand": (
        _("Nobody types this batch on the bank’s site"),
        _("Its transfers are booked once somebody said that they type them."),
        _("Open its page and choose to type the transfers."),
    ),
    "paid_on_invalid": (
        _("The bank’s day is not possible"),
        _("Transfers leave between the approval of their batch and today."),
        _("Give the day that the bank shows."),
    ),
    "reference_long": (
        _("The reference is too long"),
        _("Banks give references of 35 signs at most."),
        _("Copy the reference of the bank, or leave it empty."),
    ),
    "reference_short": (
        _("The reference is too short"),
        _("A reference of fewer than 4 signs would be found in lines that have nothing to do with it."),
        _("Copy the reference of the bank, or leave it empty."),
    ),
    "reference_twice": (
        _("Two transfers have the same reference"),
        _("The statement tells transfers apart by their references."),
        _("Give each its own, or leave them empty."),
    ),
    "batch_changed": (
        _("This is not the file that was read"),
        _("An approval is for exactly the file that was shown."),
        _("Open the page again, read it, and approve that."),
    ),
    "batch_decided": (
        _("The batch is already decided on"),
        _("Someone approved or refused it; the answer names who, or its state."),
        _("Nothing more is to be done."),
    ),
    "batch_not_approved": (
        _("The batch is not approved"),
        _("The file is handed over once another treasurer has approved it."),
        _("Ask another treasurer to approve it."),
    ),
    "shares_taken": (
        _("Another batch was prepared just now"),
        _("The shares are already in a batch that someone prepared at the same moment."),
        _("Open the list again: nothing is paid twice."),
    ),
    "payout_not_sent": (
        _("The payout is not awaiting settlement"),
        _("The line of the statement names a payout that is settled already, or that was not sent."),
        _("Look at the batch of this payout before matching the line."),
    ),
    "file_not_again": (
        _("The file is not given again"),
        _("The batch is in doubt, or its transfers were refused or sent back: its file might pay a second time."),
        _("Say what became of the batch; what is owed again leaves with a new batch."),
    ),
    "payout_not_found": (
        _("The payout does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in its batch."),
    ),
    "payout_not_under_way": (
        _("The transfer is not under way"),
        _("The bank can only refuse a transfer that was handed to it and that no statement shows yet."),
        _("Open its page to see where it stands."),
    ),
    "batch_not_under_way": (
        _("The batch is not under way"),
        _("What became of a batch is said of one that was handed to the bank and is not over."),
        _("Open its page to see where it stands."),
    ),
    "payout_not_paid": (
        _("The payout was not paid"),
        _("No money can come back of a payout that no statement shows leaving, or that came back already."),
        _("Open its page to see where it stands."),
    ),
    "payout_not_this": (
        _("The line is not that payout"),
        _("It is not of the same amount, or the payout was not paid from this account, or the line names another."),
        _("Choose another payout, or leave the line in suspense."),
    ),
    "code_unknown": (
        _("The bank’s reason is not one of the list"),
        _("Reasons are codes of ISO 20022; NARR stands for any other, told in words."),
        _("Choose one of the list, or NARR and write what the bank said."),
    ),
    # --- bank statements --------------------------------------------------------------------------------------------
    "foreign_account": (
        _("The statement is that of another account"),
        _("The account of the statement is not one of the host’s. Nothing was imported."),
        _("Choose the statement of an account of the host, or have the account added first."),
    ),
    "line_amount_zero": (
        _("A line has an amount of zero"),
        _("A line of the statement moves no money. Nothing was imported."),
        _("Download the statement from the bank again."),
    ),
    "line_without_day": (
        _("A line has no date"),
        _("A line of the statement has neither a booking date nor a value date. Nothing was imported."),
        _("Download the statement from the bank again."),
    ),
    "statement_gap": (
        _("The statement does not tie"),
        _("Its opening balance plus its lines is not its closing balance."),
        _("Check the file with the bank; a treasurer may accept the gap and import it all the same."),
    ),
    "preview_expired": (
        _("The preview has expired"),
        _("A file that was previewed is kept for half an hour, and not longer. Nothing was imported."),
        _("Send the file again, read the preview, and confirm."),
    ),
    "bank_line_not_found": (
        _("There is no such bank line"),
        _("No line of the statements has this number."),
        _("Choose it in the list of lines."),
    ),
    "line_not_waiting": (
        _("The line is not to identify any more"),
        _("Someone, or the reference it carries, has already said what it is."),
        _("Open the list again."),
    ),
    "not_a_credit": (
        _("Only money received can pay a pledge"),
        _("The line is money that left the account."),
        _("Choose a line of money received."),
    ),
    "statement_empty": (
        _("The statement is empty"),
        _("The file has no content."),
        _("Download it from the bank again."),
    ),
    "statement_too_large": (
        _("The statement is too large"),
        _("The file passes the size that is read in one go."),
        _("Download a shorter period from the bank."),
    ),
    "statement_too_complex": (
        _("The statement is too complex"),
        _("The file nests too deeply, or holds more entries than are read in one go."),
        _("Download a shorter period from the bank."),
    ),
    "statement_compressed": (
        _("The file is compressed"),
        _("Compressed files are not unpacked here, because a small one may hide a huge one."),
        _("Unpack it on your computer and send the statements it contains."),
    ),
    "statement_unknown_format": (
        _("The file is not a known statement"),
        _("The file is not in one of the formats that can be read here."),
        _("Download the statement from the bank as camt.053 (XML)."),
    ),
    "statement_camt052": (
        _("This is an intraday report"),
        _("A camt.052 report may still change."),
        _("Download the statement of the day, camt.053."),
    ),
    "statement_camt054": (
        _("This is a notification"),
        _("A camt.054 notification repeats operations of the statement, which would count twice."),
        _("Download the statement, camt.053."),
    ),
    "statement_none": (
        _("The file holds no statement"),
        _("The file is well formed but empty of statements."),
        _("Check the export that you chose at the bank."),
    ),
    "statement_dtd": (
        _("The file carries a DTD or entities"),
        _("No bank statement needs them, and they can be used to read or exhaust the server."),
        _("Download the file from the bank again; do not send one from elsewhere."),
    ),
    "statement_damaged": (
        _("The file is damaged"),
        _("The file is cut short or is not well-formed XML."),
        _("Download it from the bank again."),
    ),
    "statement_encoding": (
        _("The text encoding is not supported"),
        _("The file is written in an encoding that is not read here."),
        _("Save it as UTF-8."),
    ),
    "statement_amount": (
        _("An amount of the statement cannot be read"),
        _("An amount is not a plain number with the decimals of its currency, or their sum is too large."),
        _("Ask the bank for a correct file."),
    ),
    "statement_currency": (
        _("A currency of the statement cannot be read"),
        _("A currency is not a three-letter code."),
        _("Ask the bank for a correct file."),
    ),
    "line_day_absurd": (
        _("A day of the statement cannot be right"),
        _("A line or the closing balance is dated before 2000, or more than a month ahead."),
        _("Ask the bank for a correct file."),
    ),
    "line_amount_absurd": (
        _("An amount of the statement is too large"),
        _("The amount is larger than any this ledger holds."),
        _("Ask the bank for a correct file."),
    ),
    "statement_mark": (
        _("A line is neither a credit nor a debit"),
        _("The mark CRDT or DBIT is missing."),
        _("Ask the bank for a correct file."),
    ),
}
