"""The fake provider's pages: where a payer of the demonstration pays, and where they change their card."""

import html
from decimal import Decimal

from backend.payments.providers.amounts import decimals_there
from backend.payments.providers.fake.objects import Thing

WORDS = {
    "en": {
        "title": "Demonstration payment page",
        "notice": "This is a demonstration: no card is asked for and no money moves anywhere.",
        "to_pay": "To pay",
        "every": {1: "each month", 3: "each quarter", 12: "each year"},
        "card": [("pay", "Pay by card"), ("card_declined", "Have the card refused")],
        "sepa_debit": [
            ("pay", "Sign the mandate: the debit will succeed"),
            ("fail", "Sign the mandate: the debit will fail later"),
        ],
        "leave": "Leave without paying",
        "refused": "The card was refused. Nothing was paid.",
        "closed": "This page is closed: it was paid, or it expired.",
        "portal": "Card of your recurring payment",
        "keep": "From now on the payments succeed",
        "refuse": "From now on the payments fail",
        "back": "Go back",
        "changed": "Changed.",
    },
    "fr": {
        "title": "Page de paiement de démonstration",
        "notice": "Ceci est une démonstration : aucune carte n’est demandée et aucun argent ne bouge nulle part.",
        "to_pay": "À payer",
        "every": {1: "chaque mois", 3: "chaque trimestre", 12: "chaque année"},
        "card": [("pay", "Payer par carte"), ("card_declined", "Faire refuser la carte")],
        "sepa_debit": [
            ("pay", "Signer le mandat : le prélèvement réussira"),
            ("fail", "Signer le mandat : le prélèvement échouera plus tard"),
        ],
        "leave": "Partir sans payer",
        "refused": "La carte a été refusée. Rien n’a été payé.",
        "closed": "Cette page est fermée : elle a été payée, ou elle a expiré.",
        "portal": "Carte de votre paiement récurrent",
        "keep": "Désormais les paiements réussissent",
        "refuse": "Désormais les paiements échouent",
        "back": "Revenir",
        "changed": "C’est changé.",
    },
}
STYLE = (
    "body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    ".notice{background:#fff3cd;border:2px solid #8a6100;padding:.8rem}button,a.button{font:inherit;padding:.7rem 1rem;"
    "margin:.3rem 0;display:block;width:100%;box-sizing:border-box;text-align:center;border:2px solid #1b4b8f;"
    "background:#fff;color:#1b4b8f;text-decoration:none;cursor:pointer}button:focus-visible,a:focus-visible"
    "{outline:3px solid #8a6100;outline-offset:2px}th{text-align:left}td.n{text-align:right}table{width:100%}"
)


def _words(language: object) -> Thing:
    return WORDS["fr" if language == "fr" else "en"]


def _amount(amount: int, currency: str, language: object) -> str:
    places = decimals_there(currency.upper())
    text = f"{Decimal(amount).scaleb(-places):,.{places}f}"
    if language == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    return f"{text}\u00a0{currency.upper()}"


def _page(title: str, language: object, inner: str) -> str:
    words = _words(language)
    return (
        f'<!doctype html><html lang="{"fr" if language == "fr" else "en"}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1>"
        f'<p class="notice"><strong>{words["notice"]}</strong></p>{inner}</main></html>'
    )


def checkout(session: Thing, *, refused: bool = False) -> str:
    """The page of a session. Args: refused: whether the card was refused just before."""
    language = session["locale"]
    words = _words(language)
    if session["status"] != "open":
        return _page(words["title"], language, f"<p>{words['closed']}</p>")
    rows = "".join(
        f'<tr><td>{html.escape(line["name"])}<td class="n">{_amount(line["amount"], session["currency"], language)}'
        for line in session["_lines"]
    )
    every = session["_lines"][0]["recurring"]
    if every:
        months = {"month": 1, "year": 12}[every["interval"]] * int(every.get("interval_count", "1"))
        rows += f'<tr><td colspan="2">{words["every"][months]}'
    total = _amount(session["amount_total"], session["currency"], language)
    method = session["payment_method_types"][0]
    choices = [*words[method], ("leave", words["leave"])]
    buttons = "".join(f'<button name="will" value="{will}">{text}</button>' for will, text in choices)
    said = f'<p role="alert">{words["refused"]}</p>' if refused else ""
    return _page(
        words["title"],
        language,
        f'{said}<table>{rows}<tr><th scope="row">{words["to_pay"]}<td class="n"><strong>{total}</strong></table>'
        f'<form method="post">{buttons}</form>',
    )


def portal(session: Thing, *, changed: bool = False) -> str:
    """The page where the payer says whether their card works."""
    language = session["locale"]
    words = _words(language)
    said = f'<p role="status">{words["changed"]}</p>' if changed else ""
    back = html.escape(session["return_url"] or "", quote=True)
    return _page(
        words["portal"],
        language,
        f'{said}<form method="post"><button name="will" value="pay">{words["keep"]}</button>'
        f'<button name="will" value="card_declined">{words["refuse"]}</button></form>'
        f'<p><a class="button" href="{back}">{words["back"]}</a></p>',
    )
