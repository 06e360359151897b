"""Tells what a received file is by its own bytes, never by its name: PDF, PNG, JPEG, or the XML of an invoice."""

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid

LARGEST = 5_000_000  # bytes
# Roots of the XML invoices of EN 16931: UN/CEFACT CII (that of Factur-X) and UBL.
ROOTS = {
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice",
}


def media_of(data: bytes) -> str:
    """The media type of a file. Raises: Invalid `paper_file_missing`, `paper_file_too_large`, `paper_file_unknown`."""
    if not data:
        raise Invalid("paper_file_missing", _("Choose the file of the document: this one is empty."), param="file")
    if len(data) > LARGEST:
        raise Invalid("paper_file_too_large", _("The file weighs more than 5 MB: make it smaller."), param="file")
    if data.startswith(b"%PDF-") and b"%%EOF" in data[-2048:]:
        return "application/pdf"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and _is_invoice(data):
        return "application/xml"
    raise Invalid(
        "paper_file_unknown",
        _("This file is no PDF, PNG or JPEG, nor the XML of an invoice (Factur-X, UBL), whatever its name says."),
        param="file",
    )


def _is_invoice(data: bytes) -> bool:
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return False
    return root.tag in ROOTS
