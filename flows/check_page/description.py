"""How OpenAPI describes `POST /check`."""

from typing import Any, Final

from flows.check_page.fields import MOST_CHARACTERS
from schemas.claims import REASONS

PROBLEM_TYPE: Final = "application/problem+json"
_TEXT: Final = {"type": "string"}
_NULLABLE: Final = {"type": ["string", "null"]}
_COUNT: Final = {"type": "integer", "minimum": 0}
_STATUS: Final = {"type": "string", "enum": ["registered", "rejected", "parked"]}
_REJECT: Final = {
    "type": "object",
    "description": "Why a row, or the whole file, would not count, or a warning.",
    "properties": {
        "submission_id": _TEXT,
        "row": {"type": ["integer", "null"], "description": "Record number; null for the whole file."},
        "column": _NULLABLE,
        "reason": {"type": "string", "enum": list(REASONS)},
        "rule": _NULLABLE,
        "severity": {"type": "string", "enum": ["critical", "warning"]},
        "found": _NULLABLE,
        "expected": _TEXT,
        "hint": _TEXT,
    },
}
_EARLIER: Final = {
    "type": ["object", "null"],
    "description": "What the file changes of what its sender delivered before; null unless the installation shows it.",
}
_OPEN_ANSWER: Final = {
    "type": "object",
    "description": "What the agency has yet to fill in in the contract, which is a draft.",
    "properties": {"key": _TEXT, "line": {"type": ["integer", "null"]}, "write": _TEXT},
}
_RECEIPT: Final = {
    "type": "object",
    "description": "The receipt that a file would get, as `engang check --json` prints it.",
    "properties": {
        **dict.fromkeys(("submission_id", "filename", "contract", "sender"), _TEXT),
        "period": _NULLABLE,
        "status": _STATUS,
        **dict.fromkeys(("delivered", "claims", "rejected", "ignored", "warnings"), _COUNT),
        "problem": _NULLABLE,
        "ignored_by": {"type": "object", "additionalProperties": _COUNT, "description": "Why rows are ignored: rows."},
        "earlier": _EARLIER,
        "open_answers": {"type": "array", "items": _OPEN_ANSWER},
        "stored": {"type": "boolean", "const": False},
        "rejects": {"type": "array", "items": _REJECT},
    },
}
_FORM: Final = {
    "type": "object",
    "required": ["file", "contract"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "A file, or an archive of several."},
        "contract": {"type": "string", "description": "The contract that the file follows."},
        "sender": {"type": "string", "maxLength": 64, "description": "By default the contract's default sender."},
        "period": {
            "type": "string",
            "maxLength": MOST_CHARACTERS,
            "description": "The period, where the file does not state it.",
        },
    },
}
_PROBLEM: Final = {
    "type": "object",
    "properties": {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": _PROBLEM}}}


CHECK_OPERATION: Final[dict[str, Any]] = {
    "operation_id": "check",
    "summary": "Check a file",
    "description": "Returns the receipt that each file of an upload would get. Stores nothing and delivers nothing.",
    "openapi_extra": {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
    "responses": {
        200: {
            "description": "One receipt for each file.",
            "content": {"application/json": {"schema": {"type": "array", "items": _RECEIPT}}},
        },
        400: _problem("The form cannot be read."),
        404: _problem("There is no such contract."),
        413: _problem("The upload is too large."),
        422: _problem("A field is missing or wrong, or an archive cannot be unpacked."),
        503: _problem("Too many checks wait, or this one took too long."),
    },
}
"""The keywords of the route."""
