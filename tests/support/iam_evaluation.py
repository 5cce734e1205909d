"""How AWS decides on a request: the documented evaluation of identity and resource policies in one account.

An explicit deny wins; otherwise an allow of either policy does; a key's policy must also leave it to the account's own.
Conditions, negations and policy variables that our documents use are evaluated; any other is an error.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Document = Mapping[str, Any]
VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Request:
    """Who asks for what, and what is known of the request (condition keys)."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allowed(request: Request, identity: Iterable[Document], resource: Iterable[Document]) -> bool:
    """Tell whether AWS would grant the request."""
    own = [s for d in identity for s in d["Statement"] if matches(s, request)]
    guard = [s for d in resource for s in d["Statement"] if matches(s, request) and _is_principal(s, request)]
    if any(s["Effect"] == "Deny" for s in [*own, *guard]):
        return False
    delegated = [s for s in guard if _names_account(s)]
    if request.action.startswith("kms:") and not delegated:
        own = []
    return bool(own) or any(s not in delegated for s in guard)


def matches(statement: Mapping[str, Any], request: Request) -> bool:
    """Return whether a statement is about the request, whatever its principal."""
    return (
        _listed(statement, "Action", lambda p: _like(p.lower(), request.action.lower()))
        and _listed(statement, "Resource", lambda p: _resource(p, request))
        and all(
            _holds(operator, key, _many(expected), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _listed(statement: Mapping[str, Any], name: str, test: Callable[[str], bool]) -> bool:
    if f"Not{name}" in statement:
        return not any(test(p) for p in _many(statement[f"Not{name}"]))
    return any(test(p) for p in _many(statement[name]))


def _resource(pattern: str, request: Request) -> bool:
    unknown = [v for v in VARIABLE.findall(pattern) if v not in request.context]
    return not unknown and _like(VARIABLE.sub(lambda v: request.context[v[1]], pattern), request.resource)


def _holds(operator: str, key: str, expected: list[str], context: Mapping[str, str]) -> bool:
    found = context.get(key)
    if operator == "Null":
        return (found is None) == (expected == ["true"])
    if operator == "StringNotEquals":
        return found not in expected
    if found is None:
        return False
    tests: dict[str, Callable[[str], bool]] = {
        "Bool": lambda e: e == found.lower(),
        "StringEquals": lambda e: e == found,
        "ArnEquals": lambda e: _like(e, found),
        "ArnLike": lambda e: _like(e, found),
        "NumericLessThan": lambda e: float(found) < float(e),
    }
    return any(tests[operator](e) for e in expected)


def _is_principal(statement: Mapping[str, Any], request: Request) -> bool:
    principal = statement["Principal"]
    if principal == "*":
        return True
    if _names_account(statement):
        return request.principal.split(":")[4:5] == principal["AWS"].split(":")[4:5]
    return request.principal in [p for each in principal.values() for p in _many(each)]


def _names_account(statement: Mapping[str, Any]) -> bool:
    principal = statement["Principal"]
    return isinstance(principal, dict) and str(principal.get("AWS", "")).endswith(":root")


def _like(pattern: str, text: str) -> bool:
    """Match `*` and `?`, which AWS knows; brackets are letters to it."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
