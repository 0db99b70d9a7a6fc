"""Changes of operators in a PaddleOCR YAML file, made in its text: comments, order and all other lines stay.

PyYAML's nodes know where each value stands, so one value is replaced at a time; what comes out is parsed again and must
be what was meant. A library that writes whole documents would also change quotes and line breaks that nobody asked for,
and would be a requirement more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_ocrparity.artifacts.configs import config_nodes, parse_config
from pytest_ocrparity.errors import ModelError

EXPORT: Final = ("PreProcess", "transform_ops")
TRAINING: Final = ("Eval", "dataset", "transforms")
"""Where an inference.yml and a training YAML file list their operators."""
_POST_PROCESS: Final = "PostProcess"
_WIDE: Final = 10**6
"""Letters of a line, so that no value is broken."""


def edit_config(text: str, path: Path, place: Sequence[str], key: str, values: Mapping[str, Any]) -> str:
    """Return the text of a YAML file with other arguments of an operator.

    Args:
        text: the file's.
        path: where it lies, for messages.
        place: where it lists its operators: EXPORT or TRAINING.
        key: the name of the operator, or PostProcess. One that is not listed is put first.
        values: by name of the argument; None for one that is to go.

    Raises:
        ModelError: the file is no such YAML file, or is written so that a value cannot be changed alone.
    """
    wanted = _unshared(parse_config(text, path))
    _update(_arguments(wanted, path, place, key), values)
    editor = _Editor(text, path, place, key)
    for name, value in values.items():
        if value is None:
            editor.remove(name)
        else:
            editor.set(name, value)
    if repr(parse_config(editor.text, path)) != repr(wanted):
        raise _by_hand(path, key)
    return editor.text


def _by_hand(path: Path, key: str) -> ModelError:
    return ModelError(f"{path}: {key} is written so that it cannot be changed without other lines: edit it by hand")


def _unshared(value: Any) -> Any:
    """Return a copy in which no two places share what an alias repeats."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def _arguments(config: dict[str, Any], path: Path, place: Sequence[str], key: str) -> dict[str, Any]:
    """Return the arguments of an operator in a parsed file, to be changed."""
    holder: Any = config
    if key != _POST_PROCESS:
        for part in place:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if not isinstance(holder, list):
            raise ModelError(f"{path} has no list {'.'.join(place)}")
        found = [each for each in holder if isinstance(each, dict) and key in each]
        if len(found) > 1:
            raise ModelError(f"{path}: {key} stands {len(found)} times in {'.'.join(place)}: edit it by hand")
        if not found:
            holder.insert(0, {key: {}})
        holder = found[0] if found else holder[0]
    if holder.get(key) is None:
        holder[key] = {}
    if not isinstance(holder[key], dict):
        raise ModelError(f"{path}: {key} has no arguments that could be changed")
    arguments: dict[str, Any] = holder[key]
    return arguments


def _update(arguments: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            arguments.pop(name, None)
        else:
            arguments[name] = value


class _Editor:
    """The text of a file, changed value by value."""

    def __init__(self, text: str, path: Path, place: Sequence[str], key: str) -> None:
        self.text, self._path, self._place, self._key = text, path, place, key
        self._line_end = "\r\n" if "\r\n" in text else "\n"

    def set(self, name: str, value: Any) -> None:
        """Give the operator's argument a value."""
        written = _flow(value)
        arguments = self._need_arguments()
        if not isinstance(arguments, yaml.MappingNode):
            self._replace(arguments, f"{{{name}: {written}}}")
            return
        pair = _pair(arguments, name)
        if pair is not None:
            self._set_value(pair, value)
        elif arguments.flow_style:
            end = _end(arguments.value[-1][1]) if arguments.value else arguments.start_mark.index + 1
            self._put(end, end, f"{', ' if arguments.value else ''}{name}: {written}")
        else:
            first, last = arguments.value[0][0], arguments.value[-1][1]
            end = self._end_of_line(_end(last))
            indent = " " * first.start_mark.column
            self._put(end, end, f"{self._line_end}{indent}{name}: {written}")

    def remove(self, name: str) -> None:
        """Take an argument of the operator out."""
        arguments = self._need_arguments()
        pair = _pair(arguments, name) if isinstance(arguments, yaml.MappingNode) else None
        if pair is None:
            if not isinstance(arguments, yaml.MappingNode):
                self._replace(arguments, "{}")
            return
        assert isinstance(arguments, yaml.MappingNode)
        start, end = pair[0].start_mark.index, _end(pair[1])
        place = arguments.value.index(pair)
        if len(arguments.value) == 1:
            inner = self.text[start:end]
            if "#" in inner:
                raise _by_hand(self._path, self._key)
            self._put(start, end, "" if arguments.flow_style else "{}")
        elif arguments.flow_style:
            before, after = place > 0, place + 1 < len(arguments.value)
            start = _end(arguments.value[place - 1][1]) if before and not after else start
            self._put(start, arguments.value[place + 1][0].start_mark.index if after else end, "")
        else:
            self._put(self.text.rfind("\n", 0, start) + 1, self._next_line(end), "")

    def _set_value(self, pair: tuple[yaml.Node, yaml.Node], value: Any) -> None:
        key, node = pair
        if _are_scalars(node, value):
            assert isinstance(node, yaml.SequenceNode)
            for each, item in reversed(list(zip(node.value, value, strict=True))):
                self._replace(each, _flow(item))
        elif not _is_block(node):
            self._replace(node, _flow(value))
        else:
            inner = self.text[key.end_mark.index : _end(node)]
            if "#" in inner:
                raise _by_hand(self._path, self._key)
            self._put(key.end_mark.index, _end(node), f": {_flow(value)}")

    def _need_arguments(self) -> yaml.Node:
        """Return the node of the operator's arguments; an operator that is not listed is put first."""
        found = self._node_of_arguments()
        if found is not None:
            names = [key.value for key, _ in found.value] if isinstance(found, yaml.MappingNode) else []
            if len(set(map(str, names))) < len(names):  # the last of two counts, and may not stay it
                raise _by_hand(self._path, self._key)
            return found
        operators = _at(config_nodes(self.text, self._path), self._place)
        assert isinstance(operators, yaml.SequenceNode)  # `_arguments` has found it
        start = operators.start_mark.index
        if operators.flow_style:
            self._put(start + 1, start + 1, f"{{{self._key}: {{}}}}{', ' if operators.value else ''}")
        else:
            line = self.text.rfind("\n", 0, start) + 1
            if self.text[line:start].strip():
                raise _by_hand(self._path, self._key)
            self._put(line, line, f"{self.text[line:start]}- {self._key}: {{}}{self._line_end}")
        found = self._node_of_arguments()
        if found is None:
            raise _by_hand(self._path, self._key)
        return found

    def _node_of_arguments(self) -> yaml.Node | None:
        root = config_nodes(self.text, self._path)
        if self._key == _POST_PROCESS:
            return _at(root, (self._key,))
        operators = _at(root, self._place)
        entries = operators.value if isinstance(operators, yaml.SequenceNode) else []
        found = (_at(each, (self._key,)) for each in entries)
        return next((each for each in found if each is not None), None)

    def _replace(self, node: yaml.Node, text: str) -> None:
        """Put a text in the place of a value; one that is empty has no letters, and stands behind its colon."""
        start, end = node.start_mark.index, _end(node)
        self._put(start, end, text if end > start else f" {text}")

    def _put(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]

    def _end_of_line(self, place: int) -> int:
        end = self.text.find("\n", place)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[end - 1 : end] == "\r" else end

    def _next_line(self, place: int) -> int:
        end = self.text.find("\n", place)
        return len(self.text) if end < 0 else end + 1


def _flow(value: Any) -> str:
    """Return a value as YAML has it on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=_WIDE, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _pair(mapping: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    found: list[tuple[yaml.Node, yaml.Node]] = [pair for pair in mapping.value if pair[0].value == name]
    return found[0] if len(found) == 1 else None


def _at(node: yaml.Node | None, keys: Sequence[str]) -> yaml.Node | None:
    """Return the node at a path of keys."""
    for key in keys:
        pair = _pair(node, key) if isinstance(node, yaml.MappingNode) else None
        node = None if pair is None else pair[1]
    return node


def _are_scalars(node: yaml.Node, value: Any) -> bool:
    """Tell whether a list of numbers or words is to be replaced by as many others."""
    is_list = isinstance(node, yaml.SequenceNode) and isinstance(value, list) and len(node.value) == len(value)
    return is_list and all(isinstance(each, yaml.ScalarNode) for each in node.value)


def _end(node: yaml.Node) -> int:
    """Return where a value ends: that of a block collection with its last part, not with the next token."""
    if not _is_block(node):
        return node.end_mark.index
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style and bool(node.value)
