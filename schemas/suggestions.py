"""The suggestion that a message adds to a name that is not known."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the known name nearest to this one, "" if none is near."""
    import difflib  # noqa: PLC0415  needed only where a name is wrong

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""
