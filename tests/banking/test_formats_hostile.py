"""Files that attack a reader: refused whole, each in a process of its own so that its memory is its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.banking.formats import StatementFileError, read_statements
from tests.conftest import SHARED

HOSTILE = SHARED / "samples" / "hostile"
MEGABYTES = 100
CHILD = """
import json, resource, sys, time
from backend.banking.formats import StatementFileError, read_statements
def peak():  # of this process alone: ru_maxrss begins with that of the one that started it
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 160_000_000, size + 160_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
begun = time.monotonic()
try:
    code = f"read {len(read_statements(open(sys.argv[1], 'rb').read()))}"
except StatementFileError as refusal:
    code = refusal.code
after = peak()
print(json.dumps({"code": code, "kilobytes": after - before, "seconds": round(time.monotonic() - begun, 2)}))
"""
# Twenty million bytes are the most that an upload may weigh.
FULL = 20_000_000
OFX = b"OFXHEADER:100\n<OFX>"
MT940 = b":20:A\n:25:B\n:60F:C260302EUR1,\n"
CSV = b"Date;Montant;Solde\n1;2;3\n"


def flood(head: bytes, piece: bytes, tail: bytes = b"") -> bytes:
    """As many of a piece as an upload may hold."""
    return head + piece * ((FULL - len(head) - len(tail)) // len(piece)) + tail


def many(piece: bytes, places: int) -> bytes:
    """Nearly as many operations as are read, each with its number in all its places."""
    return b"".join(piece % ((number,) * places) for number in range(1, 49_000))


# What makes the file, and how it is refused.
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "csv: one endless line": (lambda: flood(CSV, b"x"), "statement_too_complex"),
    "csv: empty lines": (lambda: flood(CSV, b"\n"), "statement_too_complex"),
    "csv: rows without end": (lambda: flood(CSV, b"1;2;3\n"), "statement_too_complex"),
    "csv: a thousand columns": (lambda: CSV + b";" * 1000, "statement_too_complex"),
    "csv: a quote that never ends": (lambda: flood(CSV + b'1;2;"', b"x\n"), "statement_csv_damaged"),
    "csv: letters of four bytes": (lambda: flood(CSV, "\U0001f4b6\n".encode()), "statement_too_complex"),
    "csv: NUL": (lambda: CSV + b"02/03/2026;1,00;\0\n", "statement_unknown_format"),
    "csv: UTF-16 cut in a letter": (
        lambda: ("\ufeffDate;Montant;Solde\n" + "02/03/2026;1,00;1,00\n" * 9000).encode("utf-16-le")[:-1],
        "statement_encoding",
    ),
    "zip of a csv": (lambda: b"PK\x03\x04" + CSV, "statement_compressed"),
    "gzip": (lambda: b"\x1f\x8b" + CSV, "statement_compressed"),
    "ofx: tags without end": (lambda: flood(OFX, b"<A>", b"</OFX>"), "statement_too_complex"),
    "ofx: nested": (lambda: flood(OFX + b"<STMTRS>", b"<PAYEE>", b"</OFX>"), "statement_too_complex"),
    "ofx: operations without end": (
        lambda: flood(OFX + b"<STMTRS><CURDEF>EUR", b"<STMTTRN><TRNAMT>1", b"</OFX>"), "statement_too_complex",
    ),
    "ofx: as many operations as there may be tags": (
        lambda: OFX + b"<STMTRS><CURDEF>EUR" + b"<STMTTRN><TRNAMT>1" * 249_000 + b"</OFX>", "statement_too_complex",
    ),
    "ofx: open brackets": (lambda: flood(OFX, b"<a", b"</OFX>"), "statement_too_complex"),
    "ofx: spaces in a tag": (lambda: flood(OFX + b"<a", b" ", b"</OFX>"), "statement_none"),
    "ofx: one endless memo": (
        lambda: flood(OFX + b"<STMTRS><CURDEF>EUR<STMTTRN><TRNAMT>1.00<MEMO>", b"&amp;", b"</OFX>"), "read 1",
    ),
    "ofx: a document type": (
        lambda: b'<?xml version="1.0"?><!DOCTYPE OFX [<!ENTITY a SYSTEM "file:///etc/passwd">]><OFX>&a;</OFX>',
        "statement_dtd",
    ),
    "ofx: cut": (lambda: OFX + b"<STMTRS><CURDEF>EUR<STMTTRN><TRNAMT>1.00", "statement_cut"),
    "ofx: NUL": (lambda: OFX + b"\0</OFX>", "statement_encoding"),
    "ofx: UTF-16 without end": (
        lambda: b"\xff\xfe" + flood(OFX, b"<A>", b"</OFX>").decode()[: FULL // 2 - 10].encode("utf-16-le"),
        "statement_cut",
    ),
    "mt940: operations without end": (lambda: flood(MT940, b":61:260302C1,NTRF\n"), "statement_too_complex"),
    "mt940: statements without end": (lambda: flood(b"", b":20:A\n"), "statement_too_complex"),
    "mt940: an endless line": (lambda: flood(MT940 + b":86:", b"?20"), "statement_too_complex"),
    "mt940: text without end": (
        lambda: flood(MT940 + b":61:260302C1,NTRF\n:86:166?20", b"x\n"), "statement_too_complex",
    ),
    "mt940: an amount of many figures": (
        lambda: MT940 + b":61:260302C" + b"9" * 60_000 + b",NTRF\n", "statement_line_unreadable",
    ),
    "mt940: NUL": (lambda: MT940 + b"\0\n", "statement_encoding"),
    "xml: deep": (
        lambda: flood(b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.10">', b"<a>"),
        "statement_too_complex",
    ),
    # The largest that are read, not refused.
    "csv: forty-nine thousand operations": (
        lambda: b"Date;Libelle;Montant;Solde;Devise\n" + many(b"02/03/2026;VIR don %d;1,00;%d,00;EUR\n", 2), "read 1",
    ),
    "ofx: forty-nine thousand operations": (
        lambda: OFX + b"<STMTRS><CURDEF>EUR" + many(
            b"<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260302<TRNAMT>1.00<FITID>%d<NAME>PAYEUR %d<MEMO>don %d</STMTTRN>", 3
        ) + b"</STMTRS></OFX>", "read 1",
    ),
    "mt940: forty-nine thousand operations": (
        lambda: MT940 + many(b":61:2603020302CR1,00NTRFNONREF//B%d\n:86:166?00GUTSCHRIFT?20SVWZ+don %d?32P %d\n", 3),
        "read 1",
    ),
    "noise": (lambda: bytes(range(1, 256)) * 70_000, "statement_unknown_format"),
}  # fmt: skip
if HOSTILE.is_dir():
    for shared, verdict in {
        "billion_laughs.camt053.xml": "statement_dtd",
        "xxe_file.camt053.xml": "statement_dtd",
        "truncated.camt053.xml": "statement_damaged",
        "formula_label.csv": "read 1",
    }.items():
        CASES[f"shared: {shared}"] = ((HOSTILE / shared).read_bytes, verdict)


@pytest.mark.parametrize("name", sorted(CASES))
def test_hostile_files_are_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    make, code = CASES[name]
    file = tmp_path / "statement"
    file.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-600:]
    found = json.loads(done.stdout)
    # The time depends on the machine: it is shown (`-rA`), and the processor's is bounded above.
    print(f"{name}: {found['seconds']} s, {found['kilobytes'] // 1024} MB more")
    assert found["code"] == code
    assert found["kilobytes"] < MEGABYTES * 1024


@pytest.mark.parametrize(
    "data",
    [
        b"Date;Libelle;Montant\n20/11/2026;VIR;70,00\n:20:S1\n:25:X\n:60F:C261120EUR0,00\n:62F:C261120EUR0,00\n",
        b":20:S1\n:25:X\n:60F:C261120EUR0,00\n:62F:C261120EUR0,00\n-\nDate;Libelle;Montant\n20/11/2026;VIR;70,00\n",
        b"Date;Libelle;Montant\n20/11/2026;VIR;70,00\n<!-- urn:iso:std:iso:20022:tech:xsd:camt.053.001.02 -->\n",
    ],
)
def test_files_put_behind_one_another_are_refused(data: bytes) -> None:
    with pytest.raises(StatementFileError) as refusal:
        read_statements(data)
    assert refusal.value.code == "statement_several_formats"


def test_a_text_with_a_table_in_it_is_no_csv() -> None:
    rows = b"|---|---|---|\n| a.xml | statement | of 2026 |\n| b.xml | other | none |\n"
    text = b"# Samples\n\n| file | what | note |\n" + rows
    with pytest.raises(StatementFileError) as refusal:
        read_statements(text)
    assert refusal.value.code == "statement_unknown_format"
