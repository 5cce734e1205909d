"""Single places of a YAML text: where they are, and changes there that leave comments, order and style of all else."""

from collections.abc import Iterator
from typing import Final

import yaml

Path = tuple[str | int, ...]
"""Keys and positions that lead to a value."""
_WIDTH: Final = 10_000
_LONGEST_LINE: Final = 120


def set_value(text: str, path: Path, value: object) -> str:
    """Return the text with a value at a path: in place of the one there, or as a new last key of its mapping."""
    *above, key = path
    parent = _node(text, tuple(above))
    entry = _entry(parent, key)
    if isinstance(parent, yaml.MappingNode):
        if entry is not None:
            name, old = entry
            start, end = name.end_mark.index, _end(old)
            return f"{text[:start]}:{_written(parent, value, old)}{text[end:]}"
        end = _end(parent.value[-1][1])
        new = f"{key}:{_written(parent, value, None)}"
        column = parent.value[0][0].start_mark.column
        return f"{text[:end]}{', ' if parent.flow_style else chr(10) + ' ' * column}{new}{text[end:]}"
    if entry is None:
        raise KeyError(path)
    start, end = entry[1].start_mark.index, _end(entry[1])
    return f"{text[:start]}{_flow(value)}{text[end:]}"


def scalars(text: str, above: Path, key: str) -> Iterator[tuple[Path, str]]:
    """Yield the path and text of each scalar with this key in the mappings somewhere below a path."""
    try:
        node = _node(text, above)
    except KeyError:
        return
    yield from _scalars(node, above, key)


def line_of(text: str, path: Path) -> int | None:
    """Return the line of a value, 1 for the first; of one that is not there the nearest mapping's; None if none is."""
    try:
        return int(_node(text, path).start_mark.line) + 1
    except KeyError:
        return line_of(text, path[:-1]) if len(path) > 1 else None


def _scalars(node: yaml.Node, path: Path, key: str) -> Iterator[tuple[Path, str]]:
    if isinstance(node, yaml.SequenceNode):
        for number, each in enumerate(node.value):
            yield from _scalars(each, (*path, number), key)
    elif isinstance(node, yaml.MappingNode):
        for name, each in node.value:
            if name.value == key and isinstance(each, yaml.ScalarNode):
                yield (*path, key), each.value
            yield from _scalars(each, (*path, name.value), key)


def _node(text: str, path: Path) -> yaml.Node:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in path:
        entry = _entry(node, key)
        if entry is None:
            raise KeyError(path)
        node = entry[1]
    if node is None:
        raise KeyError(path)
    return node


def _entry(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key and value nodes of an entry; for an item of a sequence the item twice."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        return (node.value[key], node.value[key]) if key < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == key), None)
    return None


def _end(node: yaml.Node) -> int:
    """Return where a node ends, without the blanks and comments after it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _written(parent: yaml.MappingNode, value: object, old: yaml.Node | None) -> str:
    """Return a value as it follows the colon: on the line if it fits, else in a block below."""
    column = parent.value[0][0].start_mark.column
    line = _flow(value)
    was_block = isinstance(old, yaml.CollectionNode) and not old.flow_style
    fits = len(line) + column < _LONGEST_LINE // 2 or not isinstance(value, (dict, list)) or not value
    if parent.flow_style or (fits and not was_block):
        return f" {line}"
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False)
    indent = " " * (column + 2)
    return "\n" + "\n".join(indent + each for each in text.rstrip("\n").split("\n"))


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=True)
    return text.removesuffix("\n...\n").rstrip("\n")
