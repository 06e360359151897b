"""Looks for what the database itself refuses: numbers missing or given twice in a series of papers."""

from dataclasses import dataclass

from django.db.models import Count, Max, Min

from backend.documents.models import PREFIXES, Document, DocumentSeries


@dataclass(frozen=True)
class Series:
    """A series of papers: its last number, and how many numbers are there from 1 on, each once."""

    kind: str
    year: int
    last: int
    found: int
    whole: bool

    @property
    def name(self) -> str:
        """As its papers begin, for instance F-2026."""
        return f"{PREFIXES.get(self.kind, self.kind)}-{self.year}"


def all_series() -> list[Series]:
    """Every series, the latest year first, and whether its numbers go from 1 to the last without gap or repetition."""
    counts = {
        (row["kind"], row["year"]): row
        for row in Document.objects.values("kind", "year").annotate(
            rows=Count("pk"), numbers=Count("number", distinct=True), first=Min("number"), top=Max("number")
        )
    }
    known = {(kind, year): last for kind, year, last in DocumentSeries.objects.values_list("kind", "year", "last")}
    found = []
    for kind, year in sorted({*counts, *known}, key=lambda one: (-one[1], one[0])):
        row, last = counts.get((kind, year)), known.get((kind, year), 0)
        rows = row["rows"] if row else 0
        whole = rows == last and (row is None or (row["numbers"] == rows and row["first"] == 1 and row["top"] == last))
        found.append(Series(kind, year, last, rows, whole))
    return found


def broken_series() -> list[Series]:
    """Those with a gap or a repetition; none when all is well."""
    return [series for series in all_series() if not series.whole]
