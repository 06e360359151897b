"""What others make of the contract of the API: a fuzzer, two generators of clients, two linters, on a real server.

    ./run prove contract [--seed N] [--examples N] [--only PART] [--slice]

Schemathesis sends what the contract allows and what it forbids to every operation: no 5xx, no answer that the contract
does not name, nothing forbidden accepted. Clients made by openapi-python-client and openapi-generator declare, review
and read a contribution. Spectral and Redocly find no error. The generators and the linters are installed for the
proof, in a folder of its own, from PyPI (deploy/requirements/clients.txt) and npm; Redocly and Spectral need node. The
slice is a short seeded part of the first alone.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.prove._contract_house import house

PARTS = ("schemathesis", "clients", "linters")
HERE = Path(__file__).resolve().parent
PHASES, SHORT_PHASES = "examples,coverage,fuzzing,stateful", "examples,fuzzing"
SHORT = {"seed": 20261121, "examples": 4}
TOOLS = HERE.parents[1] / "deploy" / "requirements" / "clients.txt"  # the generators, and what their clients import
LINTERS = ("@stoplight/spectral-cli@6.16.3", "@redocly/cli@2.77.0")
# A well-formed request may be refused by the rules of the house, which no schema tells; one with a cursor also because
# cursors are copied from an answer and never made.
REFUSALS = '["2xx", "401", "403", "404", "409", "412", "422"]'
NEGATIVE = '["400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422", "428"]'
HEADERLESS = '["400", "401", "403", "404", "428"]'  # 428: RFC 6585 §3, of If-Match
OF_CURSORS = '["2xx", "400", "401", "403", "404", "409", "412", "422"]'


def main(arguments: list[str]) -> int:
    """Run the parts; the exit code is the number of those that failed."""
    parser = argparse.ArgumentParser(
        prog="contract", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--examples", type=int, default=100, help="per operation and kind of data")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--slice", action="store_true", help="the fuzzer alone, short and seeded, for CI")
    options = parser.parse_args(arguments)
    if options.slice:
        options.seed, options.examples = SHORT["seed"], SHORT["examples"]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    from tests.conftest import free_port

    os.environ.update(
        TRONC_PROVIDER="fake", TRONC_FAKE_PROVIDER=f"http://127.0.0.1:{free_port()}", TRONC_STRIPE_KEY="sk_test_proof",
        TRONC_STRIPE_WEBHOOK_SECRETS="whsec_proof",
    )  # fmt: skip
    import django

    django.setup()
    failed = []
    with tempfile.TemporaryDirectory() as name, house(Path(name)) as world:
        folder = Path(name)
        acts: dict[str, Callable[[], None]] = {
            "schemathesis": lambda: fuzz(
                folder, world, seed=options.seed, examples=options.examples,
                phases=SHORT_PHASES if options.slice else PHASES,
            ),
            "clients": lambda: clients(folder, world),
            "linters": lambda: linters(folder),
        }  # fmt: skip
        for part in ("schemathesis",) if options.slice else (options.only,) if options.only else PARTS:
            begun = time.monotonic()
            try:
                acts[part]()
                print(f"{part}: right, {time.monotonic() - begun:.0f} s", flush=True)
            except (subprocess.SubprocessError, AssertionError, OSError) as failure:
                failed.append(part)
                print(f"{part}: WRONG: {failure}", flush=True)
    return len(failed)


def run(*words: str, cwd: Path, env: dict[str, str] | None = None, seconds: int = 600) -> str:
    """Run a program; gives what it printed, and fails with it when it fails."""
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=seconds, check=False
    )
    said = "\n".join(line[:1000] for line in (done.stdout + done.stderr).splitlines())
    assert done.returncode == 0, f"{' '.join(words)[:120]}\n{said[-20000:]}"
    return said


def fuzz(folder: Path, world: dict[str, Any], *, seed: int, examples: int, phases: str) -> None:
    """Schemathesis on every operation, with all its checks."""
    from backend.api.contract_file import contract

    lines = [
        f'[auth.openapi.token]\nbearer = "{world["EVERYTHING"]}"',
        f"[checks]\npositive_data_acceptance.expected-statuses = {REFUSALS}\n"
        f"negative_data_rejection.expected-statuses = {NEGATIVE}\n"
        f"missing_required_header.expected-statuses = {HEADERLESS}",
    ]
    for methods in contract()["paths"].values():
        for one in methods.values():
            if any(parameter["name"] == "cursor" for parameter in one.get("parameters", [])):
                lines.append(
                    f'[[operations]]\ninclude-operation-id = "{one["operationId"]}"\n'
                    f"checks.positive_data_acceptance.expected-statuses = {OF_CURSORS}"
                )
    # 500 declarations in one transaction, each with its rules and its event; every other answer comes within 10 s.
    lines.append('[[operations]]\ninclude-operation-id = "declare_contributions"\nchecks.max_response_time = 60')
    (folder / "schemathesis.toml").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    told = run(
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{world['url']}/v1/openapi.json",
        "--url", world["url"], "--checks", "all", "--mode", "all", "--phases", phases, "--max-examples", str(examples),
        "--seed", str(seed), "--continue-on-failure", "--rate-limit", "590/m", "--request-timeout", "60", "--no-color",
        "--generation-database", "none",
        cwd=folder, seconds=7200,
        env={"SCHEMATHESIS_HOOKS": "tests.prove._fuzz_hooks", "TRONC_REAL": json.dumps(world["REAL"])},
    )  # fmt: skip
    print(f"seed {seed}\n" + "\n".join(told.rstrip().splitlines()[-25:]), flush=True)


def clients(folder: Path, world: dict[str, Any]) -> None:
    """Both generators make a client of the served file; each drives a contribution to the end."""
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", str(venv), cwd=folder)
    run(
        str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "--require-hashes", "--no-deps",
        "--only-binary=:all:", "-r", str(TOOLS), cwd=folder,
    )  # fmt: skip
    path = {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    contract = f"{world['url']}/v1/openapi.json"
    run(
        "openapi-python-client", "generate", "--url", contract, "--meta", "none", "--output-path", str(folder / "pc"),
        cwd=folder, env=path,
    )  # fmt: skip
    run("openapi-generator-cli", "generate", "-g", "python", "-i", contract, "-o", str(folder / "generator"),
        cwd=folder, env=path)  # fmt: skip
    wanted = {name: world[name] for name in ("AUTHOR", "REVIEWER", "BUDGET", "DAY")} | {"TRONC": world["url"]}
    for script, package in (("_client_python.py", folder), ("_client_generator.py", folder / "generator")):
        environment = path | wanted | {"PYTHONPATH": str(package)}
        print(run(str(venv / "bin" / "python"), str(HERE / script), cwd=folder, env=environment).strip(), flush=True)


def linters(folder: Path) -> None:
    """Spectral and Redocly, with their own recommended rules: no error."""
    from backend.api.contract_file import FILE

    assert shutil.which("npm"), "node and npm are needed for Spectral and Redocly"
    run("npm", "install", "--no-fund", "--no-audit", "--silent", "--prefix", str(folder), *LINTERS, cwd=folder)
    (folder / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n', encoding="utf-8")
    programs = folder / "node_modules" / ".bin"
    for words in (("spectral", "lint", "--ruleset", str(folder / ".spectral.yaml")), ("redocly", "lint")):
        told = run(str(programs / words[0]), *words[1:], str(FILE), cwd=folder, env={"REDOCLY_TELEMETRY": "off"})
        print("\n".join(told.rstrip().splitlines()[-3:]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
