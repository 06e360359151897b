"""What goes wrong at the fake provider, as a script says: requests lost, late, answered by errors; events too."""

import re
import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["drop", "cut", "late", "500", "503", "429", "409"]


@dataclass
class Fault:
    """What happens to the next requests whose `METHOD path` fits.

    kind: drop (it never arrives), cut (done, the answer is lost), late (answered after so many seconds), 500 (stored
    under the key; done all the same when `effect`), 503, 429 and 409 (not done, not stored; `seconds` is Retry-After).
    """

    match: str
    kind: Kind
    times: int = 1
    seconds: float = 0
    effect: bool = False


class Faults:
    """The script: each fault is used up as often as it says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self.met: list[tuple[str, Kind]] = []

    def add(self, fault: Fault) -> None:
        """Put one more at the end of the script."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """From now on all goes well."""
        with self._lock:
            self._waiting.clear()

    def next_for(self, request: str) -> Fault | None:
        """The fault that a request meets, if any. Args: request: `POST /v1/refunds`."""
        with self._lock:
            for fault in self._waiting:
                if fault.times > 0 and re.search(fault.match, request):
                    fault.times -= 1
                    self.met.append((request, fault.kind))
                    return fault
        return None
