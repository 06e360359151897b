"""Makes the PDF of a paper with typst: no system library, no network, the same bytes for the same body.

The body goes in as JSON data and is never read as markup. PDF/UA-1 is asked of typst; no third party validated it.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent / "typst" / "document.typ"
REPORT = TEMPLATE.with_name("report.typ")


def pdf_of(body: dict[str, Any], *, issued_at: datetime, template: Path = TEMPLATE) -> bytes:
    """The file of a paper: a tagged PDF.

    Args: issued_at: written into the file as its date, so that the same body always gives the same bytes. template:
        of a numbered paper unless told.
    """
    import typst  # 80 MB of compiler: loaded by the processes that issue papers, not by all

    def made(standards: list[Any]) -> bytes:
        compiler = typst.Compiler(template, ignore_system_fonts=True, sys_inputs={"body": json.dumps(body)})
        file = compiler.compile(format="pdf", timestamp=int(issued_at.timestamp()), pdf_standards=standards)
        assert isinstance(file, bytes)
        return file

    try:
        return made(["ua-1"])
    except typst.TypstError:
        # A name in a script that the fonts lack: PDF/UA forbids it, and it must not keep anybody from their paper.
        return made([])
