"""The words printed on papers, in both languages: a paper keeps those of its language for ever.

They are not in the catalogues of translations, so that a later turn of phrase changes no rule of law by accident.
"""

WORDS: dict[str, dict[str, str]] = {
    "fr": {
        "call": "Appel de fonds",
        "invoice": "Facture",
        "credit_note": "Avoir",
        "certificate": "Attestation de versement",
        "yearly": "Récapitulatif annuel",
        "time": "Attestation de bénévolat",
        "for": "Pour",
        "issued": "Date d’émission",
        "due": "À payer au plus tard le",
        "period": "Période",
        "from_to": "du {first} au {last}",
        "order": "Bon de commande",
        "reference": "Référence",
        "corrects": "Annule",
        "corrects_in_part": "Annule en partie",
        "corrects_what": "facture {label} du {day}",
        "replaces": "Remplace",
        "replaces_what": "attestation {label} du {day}, qui n’est plus valable",
        "reason": "Motif",
        "siren": "SIREN {number}",
        "rna": "RNA {number}",
        "vat_number": "N° de TVA {number}",
        "what": "Désignation",
        "quantity": "Quantité",
        "unit_price": "Prix unitaire",
        "amount": "Montant",
        "pledged": "Promis",
        "received": "Reçu",
        "total": "Total",
        "total_call": "Total appelé",
        "total_invoice": "Total à payer, sans TVA",
        "total_credit_note": "Total de l’avoir, sans TVA",
        "total_certificate": "Total versé",
        "total_time": "Total",
        "time_given": "Temps",
        "valued": "Valeur indicative",
        "hours": "{hours} h {minutes:02d}",
        "rate": "Taux indicatif",
        "rate_what": "{amount} de l’heure",
        "nature": "Nature de l’opération",
        "services": "prestation de services",
        "pay": "Pour payer par virement",
        "holder": "Titulaire du compte",
        "iban": "IBAN",
        "bic": "BIC",
        "pay_reference": "Référence à indiquer",
        "qr": "Code QR de virement SEPA : {amount} à {holder}, référence {reference}",
        "qr_caption": "À lire avec l’application de votre banque.",
        "paid": "Versé le {day}, {means} : {amount}.",
        "transfer": "par virement",
        "cheque": "par chèque",
        "cash": "en espèces",
        "card": "par carte",
        "debit": "par prélèvement",
        "note_call": (
            "Cet appel de fonds n’est pas une facture. Rien n’est prélevé : vous faites le virement vous-même."
        ),
        "note_certificate": (
            "Cette attestation dit ce qui a été reçu. Ce n’est pas un reçu fiscal : elle n’ouvre droit à aucune "
            "réduction d’impôt."
        ),
        "note_time": (
            "Cette attestation dit le temps de travail bénévole que des pairs ont validé. La valeur, s’il y en a une, "
            "est indicative : rien n’est dû. Ce n’est pas un reçu fiscal : donner de son temps n’ouvre droit à aucune "
            "réduction d’impôt."
        ),
        "given_back": "Rendu sur rétributions",
        "note_given_back": (
            "Rendu sur rétributions : ce qui était dû à cette personne pour son travail, dans des répartitions "
            "approuvées, et qu’elle a rendu aux communs. Ces sommes ne sont pas la valeur du temps indiqué et ne s’y "
            "ajoutent pas."
        ),
        "note_yearly": (
            "Ce récapitulatif dit ce qui était promis pour l’année et ce qui a été reçu dans l’année. Ce n’est ni une "
            "facture ni un reçu fiscal. Une promesse n’est pas de l’argent reçu : les deux colonnes ne s’additionnent "
            "pas."
        ),
        "note_credit_note": "Cet avoir annule la facture citée en totalité. À lui seul, il ne déplace pas d’argent.",
        "note_credit_note_in_part": (
            "Cet avoir annule la facture citée à hauteur de son montant : le reste de la facture n’est pas annulé par "
            "lui. À lui seul, il ne déplace pas d’argent."
        ),
        "non_profit": "TVA non applicable, art. 261-7-1° du CGI",
        "franchise": "TVA non applicable, art. 293 B du CGI",
        "no_discount": "Pas d’escompte pour paiement anticipé.",
        "late_business": (
            "En cas de retard : pénalités au taux de refinancement de la Banque centrale européenne majoré de "
            "10 points et indemnité forfaitaire de 40 € pour frais de recouvrement (Code de commerce, "
            "art. L441-10 et D441-5)."
        ),
        "late_public": (
            "En cas de retard : intérêts moratoires au taux de refinancement de la Banque centrale européenne majoré "
            "de 8 points et indemnité forfaitaire de 40 € pour frais de recouvrement (Code de la commande publique, "
            "art. L2192-13 et D2192-35)."
        ),
        "buyer": "Client",
        "replaces_credited": "facture {label} du {day}, annulée par l’avoir {note}",
        "total_self_billed": "Total à payer",
        "total_self_credited": "Total de l’avoir",
        "total_net": "Total hors taxes",
        "vat_at": "TVA {percent} %",
        "total_gross": "Total toutes taxes comprises",
        "self_billed": "Autofacturation : facture établie par {host} au nom et pour le compte de {payee}.",
        "outside": "Opération hors du champ de la TVA (art. 256 A du CGI)",
        "page": "page {page} sur {pages}",
    },
    "en": {
        "call": "Call for funds",
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "certificate": "Payment certificate",
        "yearly": "Yearly statement",
        "time": "Certificate of volunteering",
        "for": "For",
        "issued": "Issue date",
        "due": "To be paid by",
        "period": "Period",
        "from_to": "from {first} to {last}",
        "order": "Purchase order",
        "reference": "Reference",
        "corrects": "Cancels",
        "corrects_in_part": "Cancels in part",
        "corrects_what": "invoice {label} of {day}",
        "replaces": "Replaces",
        "replaces_what": "certificate {label} of {day}, which no longer holds",
        "reason": "Reason",
        "siren": "SIREN {number}",
        "rna": "RNA {number}",
        "vat_number": "VAT number {number}",
        "what": "Description",
        "quantity": "Quantity",
        "unit_price": "Unit price",
        "amount": "Amount",
        "pledged": "Pledged",
        "received": "Received",
        "total": "Total",
        "total_call": "Total called",
        "total_invoice": "Total to pay, without VAT",
        "total_credit_note": "Total of the credit note, without VAT",
        "total_certificate": "Total paid",
        "total_time": "Total",
        "time_given": "Time",
        "valued": "Indicative value",
        "hours": "{hours} h {minutes:02d}",
        "rate": "Indicative rate",
        "rate_what": "{amount} an hour",
        "nature": "Nature",
        "services": "provision of services",
        "pay": "To pay by bank transfer",
        "holder": "Account holder",
        "iban": "IBAN",
        "bic": "BIC",
        "pay_reference": "Reference to give",
        "qr": "QR code of a SEPA transfer: {amount} to {holder}, reference {reference}",
        "qr_caption": "To be read with your bank’s application.",
        "paid": "Paid on {day}, {means}: {amount}.",
        "transfer": "by bank transfer",
        "cheque": "by cheque",
        "cash": "in cash",
        "card": "by card",
        "debit": "by direct debit",
        "note_call": "This call for funds is not an invoice. Nothing is taken: you make the transfer yourself.",
        "note_certificate": (
            "This certificate says what was received. It is not a tax receipt: it gives no right to any tax reduction."
        ),
        "note_time": (
            "This certificate says the volunteer work that peers validated. The value, where there is one, is "
            "indicative: nothing is owed. It is not a tax receipt: giving time gives no right to any tax reduction."
        ),
        "given_back": "Given back of shares",
        "note_given_back": (
            "Given back of shares: what was owed to this person for their work, in approved distributions, and which "
            "they gave back to the commons. These amounts are not the value of the time stated and do not add to it."
        ),
        "note_yearly": (
            "This statement says what was pledged for the year and what was received in the year. It is neither an "
            "invoice nor a tax receipt. A promise is not money received: the two columns do not add up."
        ),
        "note_credit_note": "This credit note cancels the whole of the invoice it names. By itself it moves no money.",
        "note_credit_note_in_part": (
            "This credit note cancels its amount of the invoice it names, and not the rest of it. By itself it moves "
            "no money."
        ),
        # The law asks for these in French, whatever the language of the paper.
        "non_profit": "No VAT (TVA non applicable, art. 261-7-1° du CGI)",
        "franchise": "No VAT (TVA non applicable, art. 293 B du CGI)",
        "no_discount": "No discount for early payment (pas d’escompte pour paiement anticipé).",
        "late_business": (
            "If paid late: penalties at the refinancing rate of the European Central Bank plus 10 points, and a fixed "
            "indemnity of €40 for recovery costs (Code de commerce, art. L441-10 and D441-5)."
        ),
        "late_public": (
            "If paid late: interest at the refinancing rate of the European Central Bank plus 8 points, and a fixed "
            "indemnity of €40 for recovery costs (Code de la commande publique, art. L2192-13 and D2192-35)."
        ),
        "buyer": "Customer",
        "replaces_credited": "invoice {label} of {day}, cancelled by credit note {note}",
        "total_self_billed": "Total to be paid",
        "total_self_credited": "Total of the credit note",
        "total_net": "Total without tax",
        "vat_at": "VAT {percent} %",
        "total_gross": "Total, all taxes included",
        "self_billed": "Self-billing (autofacturation): invoice written by {host} in the name of {payee}.",
        "outside": "Outside the scope of VAT (art. 256 A of the French tax code)",
        "page": "page {page} of {pages}",
    },
}
