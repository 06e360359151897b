"""What the API promises, said beside each handler: openapi.py writes api_docs/openapi.json from it.

To add an operation:

1. Give the class of the resource its `scopes`, and next to them `contract = {"get": Operation(…), "post": …}`: a name
   that no other operation has (clients call their function so), a summary in `_()`, the `answer` (a schema of
   shapes.py), the readers of the parameters and of the body (those that the handler reads with), and in `problems` the
   codes that this operation alone may answer, by status. What every operation may answer is added: `common_problems`.
2. Name new members in words.py, and a new page (`tag`, the name of the module unless the class says otherwise) in TAGS.
3. Add its section with examples to api_docs/reference/, then write the file: `./run manage openapi`.

The tests of tests/api hold each real answer against it, so that what is missing here is found there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.api.fields import Optional, Reader, Schema

# Who reads what its roles allow: codes of most operations that ask for a right.
RIGHTS = "not_allowed second_factor_missing"
_JSON = "json_malformed json_not_utf8 json_too_deep json_duplicate_key"
_KEY = "idempotency_key_missing idempotency_key_invalid"


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    name: of the function in generated clients. answer: schema of the body of the good answer, None for none.
    parameters: of the address. required: those that must be there. body: readers of the members; None when no body is
    read. problems: status → codes, separated by spaces. keyed: whether it needs an Idempotency-Key; each operation with
    a body does unless told. tagged: whether its answer has an ETag. matched: whether it needs an If-Match. public:
    without a token.
    """

    name: str
    summary: Any
    answer: Schema | None
    status: int = 200
    parameters: Mapping[str, Reader] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: Mapping[str, Reader | Optional] | None = None
    problems: Mapping[int, str] = field(default_factory=dict)
    keyed: bool | None = None
    tagged: bool = False
    matched: bool = False
    public: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether the header Idempotency-Key is required."""
        return self.body is not None if self.keyed is None else self.keyed

    def codes(self) -> dict[int, list[str]]:
        """Status → every code that it may answer, those of its own first."""
        found: dict[int, list[str]] = {}
        for table in (self.problems, common_problems(self)):
            for status, codes in table.items():
                kept = found.setdefault(status, [])
                kept += [code for code in codes.split() if code not in kept]
        return dict(sorted(found.items()))


def common_problems(of: Operation) -> dict[int, str]:
    """What any operation of its kind may answer, status → codes."""
    written = of.body is not None
    address = "secret_in_address unknown_parameter"
    if of.parameters:
        address += " parameter_repeated parameter_invalid"
    found = {
        400: f"{address}{f' {_JSON}' if written else ''}{f' {_KEY}' if of.needs_key else ''}",
        403: "https_required",
        500: "internal_error",
        503: "service_unavailable",
    }
    if not of.public:
        found[401] = "token_missing token_invalid token_environment"
        found[403] = "scope_missing https_required"
        found[406] = "not_acceptable"
        found[404] = "not_found"  # also what a token held elsewhere is told
        found[429] = "too_many_requests"
    if written:
        found[413] = "body_too_large"
        found[415] = "media_type_not_json"
        found[422] = "invalid_fields"
    if of.matched:
        found[400] += " if_match_invalid"
        found[412] = "changed_meanwhile"
        found[428] = "if_match_missing"
    if of.needs_key:
        found[409] = "idempotency_key_in_flight"
        found[422] = f"{found.get(422, '')} idempotency_key_reused".strip()
    return found
