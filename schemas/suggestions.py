"""The suggestion that a message adds to a name that is not known."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the known name nearest to this one, "" if none is near."""
    import difflib  # needed only where a name is wrong

    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return f"did you mean {folded[near[0]]!r}?" if near else ""
