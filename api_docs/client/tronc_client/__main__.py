"""`python -m tronc_client`."""

import sys

from tronc_client.main import run

sys.exit(run())
