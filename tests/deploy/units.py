"""Reads systemd units as systemd does, as far as ours go, and gives the commands that they run."""

import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"


@dataclass(frozen=True)
class Unit:
    """One unit file: section → name → values, in their order."""

    path: Path
    sections: dict[str, dict[str, list[str]]]

    def all(self, name: str, section: str = "Service") -> list[str]:
        """Every value of a name."""
        return self.sections.get(section, {}).get(name, [])

    def one(self, name: str, section: str = "Service") -> str:
        """The only value of a name; LookupError when there is none or several."""
        (value,) = self.all(name, section) or [""]
        return value

    @property
    def command(self) -> list[str]:
        """The words of ExecStart=, with systemd's doubled signs undone."""
        return [word.replace("$$", "$").replace("%%", "%") for word in shlex.split(self.one("ExecStart"))]

    @property
    def environment(self) -> dict[str, str]:
        """What Environment= lines set; EnvironmentFile= is the test's to give."""
        return dict(word.split("=", 1) for line in self.all("Environment") for word in shlex.split(line))


def read(path: Path) -> Unit:
    """Read one unit; ValueError on a line that is neither a section, a comment nor an assignment."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], {})
            continue
        name, equals, value = line.partition("=")
        if not equals or current is None or name != name.strip():
            raise ValueError(f"{path.name}: {line}")
        current.setdefault(name, []).append(value)
    return Unit(path, sections)


UNITS = {path.name: read(path) for path in sorted((DEPLOY / "systemd").iterdir())}
