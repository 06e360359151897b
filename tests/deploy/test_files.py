"""The files of deploy/ agree with each other and with the code."""

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.units import DEPLOY, ROOT, UNITS

SERVING = ("tronc-web.service", "tronc-worker.service", "tronc-beat.service")
OWNERS = ("tronc-migrate.service", "tronc-backup.service")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
# Set by the tools themselves, never by an operator.
INTERNAL = {
    "TRONC_DATABASE_ROLE", "TRONC_FAILPOINTS", "TRONC_FAILPOINTS_FOLDER", "TRONC_METRICS_OWNER", "TRONC_RUN_PYTHON",
    "TRONC_STRIPE_SECRET_KEY",  # only looked at, to refuse a demonstration with live keys
    "TRONC_FAKE_PROVIDER",  # of a demonstration: `run` starts it and says where
}  # fmt: skip
NAME = re.compile(r"""["'](TRONC_[A-Z_]+|DATABASE_(?:OWNER_|ADMIN_)?URL|REDIS_URL)["']""")


def documented() -> set[str]:
    """The names of env.example, those behind a comment sign included."""
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    return {name.removesuffix("_FILE") for name in re.findall(r"(?m)^#?([A-Z][A-Z_]+)=", example)}


def test_every_variable_that_is_read_is_in_the_example_and_the_reverse() -> None:
    sources = [*(ROOT / "backend").rglob("*.py"), *(ROOT / "worker").rglob("*.py"), DEPLOY / "gunicorn.conf.py"]
    read = {name for source in sources for name in NAME.findall(source.read_text(encoding="utf-8"))}
    read = {name.removesuffix("_FILE") for name in read} - INTERNAL
    assert read == documented()
    assert len(read) >= 20


def test_the_units_start_in_order_and_restart() -> None:
    assert set(UNITS) == {*SERVING, *OWNERS, "tronc-backup.timer", "tronc.target"}
    assert UNITS["tronc.target"].one("Wants", "Unit").split() == list(SERVING)
    for name in SERVING:
        unit = UNITS[name]
        assert "tronc-migrate.service" in unit.one("After", "Unit").split()
        assert unit.one("Requires", "Unit") == "tronc-migrate.service"
        assert (unit.one("PartOf", "Unit"), unit.one("Restart")) == ("tronc.target", "always")
        assert unit.one("KillSignal") == "SIGTERM"
    assert UNITS["tronc-migrate.service"].one("Type") == "oneshot"
    # A request may run for 30 seconds after the signal, a sweep for longer: systemd must wait longer than they do.
    assert int(UNITS["tronc-web.service"].one("TimeoutStopSec")) > 30
    assert {UNITS[name].one("KillMode") for name in SERVING[:2]} == {"mixed"}


@pytest.mark.parametrize("name", [*SERVING, *OWNERS])
def test_only_what_owns_the_tables_has_the_owners_login(name: str) -> None:
    unit = UNITS[name]
    files = unit.all("EnvironmentFile")
    if name in OWNERS:
        assert (unit.one("User"), files) == ("tronc_owner", ["/etc/tronc/tronc.env", "/etc/tronc/owner.env"])
    else:
        assert (unit.one("User"), files) == ("tronc_app", ["/etc/tronc/tronc.env"])
    assert "DATABASE" not in " ".join(unit.environment)
    for hardening, wanted in {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "PrivateTmp": "yes", "ProtectHome": "yes",
        "CapabilityBoundingSet": "", "PrivateDevices": "yes", "UMask": "0077",
    }.items():  # fmt: skip
        assert unit.all(hardening) == [wanted], hardening


def test_every_path_of_a_unit_is_in_the_checkout() -> None:
    for unit in UNITS.values():
        text = unit.path.read_text(encoding="utf-8")
        for path in set(re.findall(r"/opt/tronc/((?:deploy|backend|worker)/[\w./-]+)", text)):
            assert (ROOT / path).exists(), f"{unit.path.name}: {path}"


def environment_of(service: str) -> dict[str, str]:
    """What a service of compose is given."""
    return {key: str(value) for key, value in COMPOSE["services"][service].get("environment", {}).items()}


@pytest.mark.parametrize("service", ["migrate", "web", "worker", "beat", "backup"])
def test_compose_runs_what_systemd_runs(service: str) -> None:
    command = [word.replace("$$", "$") for word in COMPOSE["services"][service]["command"]]
    assert command == UNITS[f"tronc-{service}.service"].command
    names = {name.removesuffix("_FILE") for name in environment_of(service)}
    assert names <= documented()
    assert {"DATABASE_URL", "TRONC_SECRET_KEY", "TRONC_ENCRYPTION_KEYS", "TRONC_BASE_URL"} <= names
    grace = COMPOSE["services"][service].get("stop_grace_period")
    if service in ("web", "worker", "beat"):
        assert grace == UNITS[f"tronc-{service}.service"].one("TimeoutStopSec") + "s"


def test_compose_gives_the_owners_login_to_no_service_that_serves() -> None:
    for service, facts in COMPOSE["services"].items():
        secrets = facts.get("secrets", [])
        owner = {"database_owner_url", "database_admin_url", "postgres_password", "migrate_password"} & set(secrets)
        assert not owner or service in {"prepare", "migrate", "backup", "postgres"}, service
        assert set(secrets) <= set(COMPOSE["secrets"])
        for value in environment_of(service).values():
            if value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in secrets, f"{service}: {value}"
        assert not any("password" in name.lower() and not name.endswith("_FILE") for name in environment_of(service))


def test_only_the_proxy_is_published_and_images_have_exact_tags() -> None:
    published = {service for service, facts in COMPOSE["services"].items() if facts.get("ports")}
    assert published == {"caddy"}
    images = [facts["image"] for facts in COMPOSE["services"].values()]
    images += re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)
    for image in images:
        _name, colon, tag = image.partition(":")
        assert colon, image
        assert re.match(r"\d+\.\d+", tag), image
    assert COMPOSE["services"]["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_image_is_made_from_the_lock_and_runs_without_rights() -> None:
    instructions = re.sub(r"\\\n", "", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    last = [line for line in instructions if line][-12:]
    assert "--require-hashes --no-deps --only-binary=:all:" in DOCKERFILE
    assert "USER tronc" in last
    assert any(line.startswith("HEALTHCHECK") for line in last)
    assert not re.search(r"(?im)^(ARG|ENV).*(secret|password|key)", DOCKERFILE)
    for line in instructions:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
    # What is not needed does not enter: neither secrets nor state.
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"


def test_the_keys_of_the_seals_are_in_a_folder_of_the_worker_alone() -> None:
    settings = (ROOT / "backend" / "settings.py").read_text(encoding="utf-8")
    (folder,) = re.findall(r'env\("TRONC_SEAL_KEYS", "([^"]+)"\)', settings)
    holders = [name for name, unit in UNITS.items() if folder == f"/var/lib/{''.join(unit.all('StateDirectory'))}"]
    assert holders == ["tronc-worker.service"]
    assert UNITS["tronc-worker.service"].one("StateDirectoryMode") == "0700"
    assert f"-m 0700 /var/lib/tronc-beat /var/lib/tronc-backup {folder}\n" in re.sub(r" *\\\n", "\n", DOCKERFILE)
    mounted = {name for name, facts in COMPOSE["services"].items() if f"seal:{folder}" in facts.get("volumes", [])}
    assert mounted == {"worker", "manage"}
    assert "seal" in COMPOSE["volumes"]


def test_the_image_holds_the_documentation_and_the_program_that_the_public_log_gives() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for held in ("api_docs", "CHANGELOG.md"):
        assert f"\nCOPY {held} {held}\n" in DOCKERFILE
        assert f"!{held}" in ignored
    assert (ROOT / "api_docs" / "verify" / "tronc_verify.py").is_file()
    assert (ROOT / "api_docs" / "openapi.json").is_file()


def test_the_proxy_hides_what_is_for_machines_and_writes_over_what_clients_claim() -> None:
    proxy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert "@machines path /metrics /metrics/* /readyz /readyz/*\n\trespond @machines 404" in proxy
    for header in ("X-Forwarded-Proto {scheme}", "X-Forwarded-For {remote_host}", "X-Real-IP {remote_host}"):
        assert f"header_up {header}\n" in proxy


def test_new_settings_are_secret_complete_and_never_written_over(tmp_path: Path) -> None:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(DEPLOY / "new-settings"), *words], capture_output=True, text=True, check=False,
            env={"TRONC_ETC": str(tmp_path / "etc"), "TRONC_COMPOSE": str(tmp_path)},
        )  # fmt: skip

    assert run("https://tronc.example.org").returncode == 1
    assert not (tmp_path / "etc").exists()
    assert run("tronc.asso.example", "pot@asso.example").returncode == 0
    settings, owner = tmp_path / "etc" / "tronc.env", tmp_path / "etc" / "owner.env"
    for file in (settings, owner):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", settings.read_text()))
    assert written["TRONC_BASE_URL"] == "https://tronc.asso.example"
    assert written["TRONC_MAIL_FROM"] == "pot@asso.example"
    assert len(written["TRONC_SECRET_KEY"]) == 80
    assert re.fullmatch(r"1:[A-Za-z0-9+/]{43}=", written["TRONC_ENCRYPTION_KEYS"])
    assert not any(name.startswith("DATABASE_") and name != "DATABASE_URL" for name in written)
    assert "tronc_owner@" not in settings.read_text()
    assert "\ntronc.asso.example {\n" in (tmp_path / "etc" / "Caddyfile").read_text()
    before = settings.read_text()
    assert run("tronc.asso.example").stdout.count("was left as it is") == 3
    assert settings.read_text() == before

    assert run("--compose", "tronc.asso.example").returncode == 0
    kept = tmp_path / "secrets"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {file.name for file in kept.iterdir()} == set(COMPOSE["secrets"])
    assert run("--compose", "tronc.asso.example").returncode == 1


@pytest.mark.parametrize("page", ["install.md", "install.fr.md"])
def test_the_volunteers_page_takes_at_most_fifteen_commands(page: str) -> None:
    steps, _after = re.split(r"(?m)^## ", (DEPLOY / page).read_text(encoding="utf-8"), maxsplit=1)[:2]
    commands = re.findall(r"(?m)^    (\S.*)$", steps)
    assert 10 <= len(commands) <= 15
    english = re.findall(r"(?m)^    (\S.*)$", (DEPLOY / "install.md").read_text(encoding="utf-8"))
    assert re.findall(r"(?m)^    (\S.*)$", (DEPLOY / page).read_text(encoding="utf-8")) == english
    for path in re.findall(r"deploy/[\w./-]+", " ".join(commands)):
        assert list(ROOT.glob(f"{path}*")), path
