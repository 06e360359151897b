"""The grids of which the tests draw a part by lot, whole: every cell of the rights, every page in both languages.

    ./run prove grids [--slice]

Of each page, verb and whose object, `./run test` asks one person of each answer; it looks at each page in one language.
"""

import argparse
import os
import subprocess
import sys

TESTS = ("tests/rights/test_pages.py", "tests/web/test_screens.py")


def main(arguments: list[str]) -> int:
    """Run the tests of the grids on all of them; the exit code is pytest's."""
    parser = argparse.ArgumentParser(
        prog="grids", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slice", action="store_true", help="nothing: the tests themselves are the slice")
    options = parser.parse_args(arguments)
    if options.slice:
        print(f"the slice of this proof is in the tests: ./run test {' '.join(TESTS)}")
        return 0
    words = ["-n", "2", "--dist", "worksteal", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | {"TRONC_WHOLE": "1"}
    return subprocess.run([sys.executable, "-m", "pytest", *words], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
