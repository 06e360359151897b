"""A PostgreSQL server of one proof's own, with fsync on, that can be killed and started again."""

import contextlib
import importlib.util
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def runner() -> ModuleType:
    """The file `run` as a module: it knows how to start PostgreSQL here, for root too."""
    loader = SourceFileLoader("tronc_run", str(ROOT / "run"))
    spec = importlib.util.spec_from_loader("tronc_run", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tronc_run"] = module
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


class Postgres:
    """A real server on a private socket."""

    def __init__(self) -> None:
        """Make the data folder and start it. The thread that calls this must outlive the server."""
        self._run = runner()
        self._stack = contextlib.ExitStack()
        self.folder = self._stack.enter_context(self._run.temporary_folder())
        self._supervisor = self._run.Supervisor(self.folder)
        self.addresses: dict[str, str] = {}
        try:
            self.addresses = self._run.start_postgres(self._supervisor, Path(sys.executable), self.folder, True)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Kill the postmaster alone, without warning: its children notice and end by themselves."""
        (child,) = self._supervisor.children
        child.process.kill()
        child.process.wait()

    def start(self) -> None:
        """Start it again, as a supervisor does: it recovers from its log. Waits until it answers."""
        (child,) = self._supervisor.children
        server = next(word for word in child.argv if word.endswith("/postgres"))
        probe = [f"{server.removesuffix('postgres')}pg_isready", "-q", "-h", str(self.folder), "-U", "tronc_admin"]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if child.process.poll() is not None:  # its shared memory stays in use until the last child ended
                self._supervisor.launch(child)
            if subprocess.run([*probe, "-d", "postgres"], check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not start again")

    def stop(self) -> None:
        """End it and remove its data."""
        for child in self._supervisor.children:
            if child.process and child.process.poll() is None:
                child.process.send_signal(child.stop_signal)
                try:
                    child.process.wait(child.grace)
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()
        self._stack.close()
