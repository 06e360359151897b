"""What is kept on disk, readable by its owner alone: the address and the token, and what was sent without an answer."""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from tronc_client.said import NOT_ALLOWED, Failure, _


def _folder(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification says that a relative path is to be ignored.
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / otherwise
    return base / "tronc"


def config_file() -> Path:
    """Where the address and the token are."""
    return _folder("XDG_CONFIG_HOME", ".config") / "config.json"


def waiting_folder() -> Path:
    """Where acts wait for their answer, a file each."""
    return _folder("XDG_STATE_HOME", ".local/state") / "waiting"


def write_private(path: Path, value: Any) -> None:
    """Write JSON all or nothing, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as failure:
        raise Failure(_("%s cannot be written: %s.") % (path, failure.strerror)) from None
    finally:
        with suppress(OSError):
            part.unlink()


def read_config() -> tuple[str, str]:
    """The address and the token; raises Failure when nobody is logged in."""
    try:
        found = json.loads(config_file().read_text(encoding="utf-8"))
        return str(found["address"]), str(found["token"])
    except FileNotFoundError:
        raise Failure(_("You are not logged in: run “tronc login”."), NOT_ALLOWED) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Failure(_("%s cannot be read: run “tronc login” again.") % config_file(), NOT_ALLOWED) from None


class Waiting:
    """An act with its key, on disk from before it is sent until its answer is known."""

    def __init__(self, path: Path, kept: dict[str, Any]) -> None:
        """Keep where it is and what it says."""
        self.path, self.kept = path, kept

    @classmethod
    def waits(cls, name: str) -> bool:
        """Whether the act of this name was sent and has no answer yet."""
        return (waiting_folder() / f"{name}.json").exists()

    @classmethod
    def of(cls, name: str, address: str, body: dict[str, Any]) -> "Waiting":
        """The act of this name: that of before when it had no answer, a new one with a new key otherwise."""
        path = waiting_folder() / f"{name}.json"
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            kept = {"address": address, "key": f"tronc-{secrets.token_hex(16)}", "body": body}
            write_private(path, kept)
            return cls(path, kept)

    @classmethod
    def all(cls, address: str) -> "list[Waiting]":
        """Those that wait for an answer of this instance, the oldest first."""
        found = []
        for path in waiting_folder().glob("*.json"):
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                if kept["address"] == address and kept["key"] and kept["body"]:
                    found.append((path.stat().st_mtime, cls(path, kept)))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return [one for _age, one in sorted(found, key=lambda pair: pair[0])]

    def answered(self) -> None:
        """Forget it: the answer is known."""
        with suppress(OSError):
            self.path.unlink()
