"""The mutants of a module: Cosmic Ray's operators, one change each, and three of ours that it has not."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Keyword, Name, Number

OTHER_COMPARISON = {"Lt": "LtE GtE", "LtE": "Lt Gt", "Gt": "GtE LtE", "GtE": "Gt Lt", "Eq": "NotEq", "NotEq": "Eq"}
OTHER_BINARY = {
    "Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul", "FloorDiv": "Div", "Mod": "Mul", "Pow": "Mul",
    "LShift": "RShift", "RShift": "LShift", "BitOr": "BitAnd", "BitAnd": "BitOr", "BitXor": "BitAnd",
}  # fmt: skip
# Of a comparison its edge and its contrary, of an operator one other: the rest of the tool's 200 says the same again.
CHOSEN = (
    *(f"ReplaceComparisonOperator_{one}_{other}" for one, all_ in OTHER_COMPARISON.items() for other in all_.split()),
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
    *(f"ReplaceBinaryOperator_{one}_{other}" for one, other in OTHER_BINARY.items()),
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
)


class SwapNames(Operator):
    """Replaces `any` by `all`, `min` by `max`, and the like."""

    PAIRS = (("any", "all"), ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("floor", "ceil"))
    OTHER: ClassVar = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield where such a name stands."""
        if isinstance(node, Name) and node.value in self.OTHER:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the name's partner."""
        node.value = self.OTHER[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none: the tool asks for them."""
        return ()


class ScaleFraction(SwapNames):
    """Makes a number with a point or an exponent half as large again: 1 more or less is much to 5e-4."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield where such a number stands."""
        if isinstance(node, Number) and isinstance(value := ast.literal_eval(node.value), float) and value:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the larger number."""
        node.value = repr(1.5 * ast.literal_eval(node.value))
        return node


class DropNotIn(SwapNames):
    """Turns `in` and `not in` round."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield where a comparison has one of them."""
        if node.type == "comparison" and self._word(node) in ("in", "not in"):
            yield node.children[1].start_pos, node.children[1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the comparison with the other."""
        word = self._word(node)
        node.children[1] = Keyword("not in" if word == "in" else "in", node.children[1].start_pos, prefix=" ")
        return node

    @staticmethod
    def _word(node: Any) -> str:
        return str(node.children[1].get_code(include_prefix=False))


OPERATORS: dict[str, Any] = {
    **{name: OperatorProvider()[name]() for name in CHOSEN},
    **{each.__name__: each() for each in (SwapNames, ScaleFraction, DropNotIn)},
}


@dataclass(frozen=True)
class Mutant:
    """A change of a module: the `occurrence`-th place of an operator."""

    module: str
    operator: str
    occurrence: int
    line: int
    column: int
    function: str | None
    """The function in whose body it lies, the outermost; None where the change acts at import."""


class Module:
    """A file of the package, parsed once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = path.read_text(encoding="utf-8")

    @cached_property
    def mutants(self) -> list[Mutant]:
        """All changes of what runs: not of annotations, nor of assertions, which inform the type checker, `strict` of
        `zip` among them, nor of what a traceback hides.
        """
        tree, skipped, functions = ast.parse(self.source), [], []
        for node in ast.walk(tree):
            skipped += [_span(each) for each in _unevaluated(node)]
        for name, definition in _functions(tree.body):
            functions.append((name, (_span(definition.body[0])[0], _span(definition)[1])))
        found, nodes, lines = [], list(ast_nodes(self.tree)), self.source.splitlines()
        for name, operator in OPERATORS.items():
            places = (place for node in nodes for place in operator.mutation_positions(node))
            for occurrence, (start, _) in enumerate(places):
                if name == "NumberReplacer" and occurrence % 2:
                    continue  # 1 less, where 1 more was tried
                if lines[start[0] - 1][start[1] :].startswith("*,"):
                    continue  # the mark of a signature, and no product
                if not any(first <= start < last for first, last in skipped):
                    function = next((each for each, (first, last) in functions if first <= start < last), None)
                    found.append(Mutant(str(self.path), name, occurrence, start[0], start[1], function))
        return sorted(found, key=lambda each: each.line)

    @cached_property
    def tree(self) -> Any:
        """The tree of the tool's parser."""
        return get_ast(self.source)

    def mutate(self, mutant: Mutant) -> str:
        """Return the source with the change, which is made in `tree`: call it once, in a process of its own."""
        return str(MutationVisitor(mutant.occurrence, OPERATORS[mutant.operator]).walk(self.tree).get_code())

    def change(self, mutant: Mutant) -> tuple[str, str]:
        """Return the changed lines as they were and as they are."""
        lines = list(difflib.ndiff(self.source.splitlines(), Module(self.path).mutate(mutant).splitlines()))
        old, new = ("\n".join(each[2:].strip() for each in lines if each.startswith(sign)) for sign in "-+")
        return old, new


def _span(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _unevaluated(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        return [node.returns] if node.returns else []
    if isinstance(node, ast.arg | ast.AnnAssign):
        return [node.annotation] if node.annotation else []
    if isinstance(node, ast.Assert):
        return [node]
    if isinstance(node, ast.keyword) and node.arg == "strict" and ast.unparse(node.value) == "True":
        return [node]
    if isinstance(node, ast.Assign) and "__tracebackhide__" in map(ast.unparse, node.targets):
        return [node]
    return []


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
