"""Small changes of a solution, each a mistake that could be made: to test checks with, and to tell mistakes by.

`mutants(solution)` reads the solution's source and changes one piece at a time: a reduction for another, an axis, a
sign, a comparison, a constant, a slice, an order, `np.abs` dropped or added, an argument ignored, a statement left out.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import itertools
import textwrap
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

EXCHANGES = (
    ("mean", "sum", "max", "min", "median", "std", "var"),
    ("argmax", "argmin"),
    ("any", "all"),
    ("maximum", "minimum"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("argsort", "sort"),
    ("triu", "tril"),
    ("fftfreq", "rfftfreq"),
    ("union", "intersection"),
)
METHODS = {"mean", "sum", "max", "min", "std", "var", "argmax", "argmin", "any", "all", "argsort", "sort"}
"""Names in EXCHANGES that arrays have as methods, too."""
DROPPED = {"abs", "clip", "maximum", "minimum", "round", "sqrt", "sort", "flatnonzero", "copy", "clone", "max", "min"}
"""Calls that can be left out: what stays is what they were called for."""
COMMUTATIVE = {"maximum", "minimum", "max", "min", "hypot", "len"}
OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.Mod: (ast.FloorDiv,),
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
LONGEST = 60


class Mutant(NamedTuple):
    """A changed solution. `kind` of the change, what was there, and what stands there now."""

    kind: str
    old: str
    new: str
    function: Callable

    def __str__(self) -> str:
        return f"{self.kind}: {self.old} -> {self.new}"


@functools.cache
def mutants(solve: Callable) -> tuple[Mutant, ...]:
    """All mutants of a solution, each different in its code from all others and from the solution."""
    tree = ast.parse(source_of(solve))
    found, seen = [], {ast.unparse(tree)}
    function = _function_in(tree)
    body = [node for statement in _body(function) for node in ast.walk(statement)]
    parents = {id(child): node for node in body for child in ast.iter_child_nodes(node)}
    alike = _alike_in_any_case(body)
    for old in body:
        for kind, new in _changes(old, function):
            # What the memo holds is not copied but taken from it: so the copy has `new` in the place of `old`.
            if (kind, id(old)) in alike:
                continue
            mutant = ast.fix_missing_locations(copy.deepcopy(tree, {id(old): new}))
            code = ast.unparse(mutant)
            if code not in seen:
                seen.add(code)
                place = old if kind == "constant" else None
                while place and (place is old or isinstance(place, (ast.UnaryOp, ast.Tuple))):
                    place = parents.get(id(place))
                shown = (place, copy.deepcopy(place, {id(old): new})) if place else (old, new)
                found.append(_compiled(solve, code, kind, *_in_words(*shown)))
    for name, statement in _prefixed(function):
        mutant = copy.deepcopy(tree)
        changed = _function_in(mutant)
        changed.body.insert(len(changed.body) - len(_body(changed)), ast.parse(statement).body[0])
        other = statement.split(", ")[0]
        said = ("exchanged", name, other) if other != statement else ("argument", name, "1")
        found.append(_compiled(solve, ast.unparse(mutant), *said))
    return tuple(one for one in found if one)


def source_of(solve: Callable) -> str:
    """A function's source, without decorators."""
    lines = textwrap.dedent(inspect.getsource(solve)).splitlines()
    return "\n".join(lines[next(place for place, line in enumerate(lines) if line.startswith("def ")) :])


def _function_in(tree: ast.Module) -> ast.FunctionDef:
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) else function.body


def _alike_in_any_case(body: list[ast.AST]) -> set[tuple[str, int]]:
    """Changes that change nothing: the order of axes to reduce over, the sign of what is asked for its shape."""
    found = set()
    for node in body:
        if isinstance(node, ast.keyword) and node.arg == "axis":
            found.add(("order", id(node.value)))
        if isinstance(node, ast.Attribute) and node.attr in ("shape", "size", "ndim"):
            found.add(("absolute", id(node.value)))
        if isinstance(node, ast.Call) and _called(node) in ("len", "zeros_like", "ones_like", "full_like", "enumerate"):
            found.update(("absolute", id(one)) for one in node.args)
    return found


def _compiled(solve, code: str, kind: str, old: str, new: str) -> Mutant | None:
    # The names that the day's exercises import are looked up when the mutant runs, as for the solution itself.
    namespace = {**solve.__globals__, "_ignored": _ignored}
    try:
        exec(compile(code, f"<mutant {kind}: {old} -> {new}>", "exec"), namespace)
    except SyntaxError:
        return None
    return Mutant(kind, old, new, namespace[solve.__name__])


def _in_words(old: ast.AST, new: ast.AST) -> tuple[str, str]:
    """Two pieces of code as they are named to a learner."""
    if isinstance(old, ast.For) and isinstance(new, ast.If):
        return _shortest(old.body[-1], old.body[-1])
    if isinstance(old, (ast.For, ast.comprehension)) and isinstance(new, type(old)):
        if isinstance(old, ast.For) and isinstance(new, ast.For) and len(new.body) > len(old.body):
            return "the whole loop", "its first round alone"
        if old.iter is not new.iter:
            return _shortest(old.iter, new.iter)
    return _shortest(old, new)


def _shortest(old: ast.AST, new: ast.AST) -> tuple[str, str]:
    """Two pieces of code, cut down to where they differ."""
    one, other = (" ".join(ast.unparse(node).split()) for node in (old, new))
    if max(len(one), len(other)) > LONGEST:
        start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        end = next((i for i, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b), 0)
        start, end = max(0, start - 15), max(0, min(end, len(one) - start, len(other) - start) - 15)
        one, other = (f"{'…' * (start > 0)}{text[start : len(text) - end]}{'…' * (end > 0)}" for text in (one, other))
    return one or "nothing", "nothing" if other == "pass" else other


def _ignored(value):
    """What an argument is taken for when it is ignored: a 1, or as many; a function stays."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.ndarray)):
        return value
    return np.ones_like(value) if isinstance(value, np.ndarray) else type(value)(1)


def _prefixed(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    names = _arguments_of(function)
    yield from ((name, f"{name} = _ignored({name})") for name in names)
    yield from ((one, f"{other}, {one} = {one}, {other}") for one, other in itertools.combinations(names, 2))


def _changes(node: ast.AST, function: ast.FunctionDef) -> Iterator[tuple[str, ast.AST]]:
    for kind, change in _CHANGES.items():
        for new in change(node, function):
            yield kind, ast.copy_location(new, node) if isinstance(new, (ast.expr, ast.stmt)) else new


def _with(node, **fields):
    """A copy of a node with some fields exchanged; its children are the node's own."""
    new = copy.copy(node)
    vars(new).update(fields)
    return new


def _code(text: str, x: ast.expr | None = None) -> ast.expr:
    """An expression, in which `x` is replaced by a node."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node):
            return x if x and node.id == "x" else node

    return Fill().visit(ast.parse(text, mode="eval")).body


def _called(node) -> str:
    """The name of what a node calls, as a function or a method; "" where it calls nothing."""
    return getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""


def _is_numpy(node) -> bool:
    return getattr(node, "id", "") == "np"


def _reductions(node, function):
    for group in EXCHANGES:
        if getattr(node, "attr", "") in group:
            others = [one for one in group if one != node.attr and (_is_numpy(node.value) or one in METHODS)]
            yield from (_with(node, attr=one) for one in others)
    if _called(node) in ("mean", "max") and isinstance(node.func, ast.Attribute) and not _is_numpy(node.func.value):
        yield _with(node, func=_code("np.median"), args=[node.func.value, *node.args])


def _names(node, function):
    swaps = {"max": "min", "min": "max", "round": "int", "sorted": "list", "int": "round"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in swaps:
        yield _with(node, func=_code(swaps[node.func.id]))


def _axes(node, function):
    if not isinstance(node, ast.keyword) or node.arg != "axis":
        return
    try:
        now = ast.literal_eval(node.value)
    except ValueError:
        return
    others = [0, 1, 2, -1] if isinstance(now, int) else []
    if isinstance(now, tuple):
        others = [*itertools.combinations(range(4), len(now)), *now]
    yield from (_with(node, value=_code(repr(axis))) for axis in [*others, None] if axis != now)


def _operators(node, function):
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        others = [_with(node, op=other()) for other in OPERATORS.get(type(node.op), ())]
    if isinstance(node, ast.BinOp):
        yield from others
        yield node.left
        if not isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow)):
            yield node.right
        if isinstance(node.op, (ast.Sub, ast.Div)):
            yield _with(node, left=node.right, right=node.left)
        if isinstance(node.op, ast.Div):
            yield from (_with(node, right=_code(text, node.right)) for text in ("np.sqrt(x)", "x ** 2"))
    if isinstance(node, ast.AugAssign):
        if isinstance(node.op, ast.Div):
            yield _with(node, value=_code("x ** 2", node.value))
        yield from others


def _signs(node, function):
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Tuple):
        yield _with(node, value=_code("-(x)", node.value))
    if isinstance(getattr(node, "func", None), ast.Attribute) and node.func.attr in ("maximum", "minimum"):
        yield _with(node, args=[_code("-(x)", node.args[0]), *node.args[1:]])


def _comparisons(node, function):
    if isinstance(node, ast.Compare):
        yield from (_with(node, ops=[other()]) for other in COMPARISONS.get(type(node.ops[0]), ()))
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.If) and not node.orelse:
        yield _with(node, test=ast.Constant(True))
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[])


def _constants(node, function):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
        others = (value + 1, value - 1, 2 * value) if isinstance(value, int) else (2 * value, value / 2, value + 1)
        others = (*others, 0.5) if value == 0 else others
        yield from (_code(repr(other)) for other in others if other != value)


def _slices(node, function):
    if isinstance(node, ast.Slice):
        for side in ("lower", "upper"):
            bound = getattr(node, side)
            if bound is not None:
                yield from (_with(node, **{side: new}) for new in (None, _code("x + 1", bound), _code("x - 1", bound)))
        if node.upper is not None and node.lower is None:
            yield ast.Slice(_code("-(x)", node.upper), None)
        if node.step is not None:
            yield _with(node, step=None)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
        yield from (_with(node, slice=_code(text, node.slice)) for text in ("x - 1", "x + 1"))


def _dropped(node, function):
    if isinstance(node, ast.Subscript):
        yield node.value
    if not isinstance(node, ast.Call):
        return
    name = _called(node)
    if name == "abs" and node.args:
        yield _code("x ** 2", node.args[0])
    if name in DROPPED and (isinstance(node.func, ast.Name) or _is_numpy(node.func.value)):
        yield from node.args[: 2 if name in ("maximum", "minimum", "max", "min") else 1]
    elif name in ("copy", "clone"):
        yield node.func.value
    if len(node.args) == 2 and name not in COMMUTATIVE and not any(isinstance(one, ast.Starred) for one in node.args):
        yield _with(node, args=node.args[::-1])


def _absolute(node, function):
    if _is_argument(node, function):
        yield from (_code(text, node) for text in ("np.abs(x)", "np.maximum(x, 0)"))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield _code("np.abs(x)", node)


def _is_argument(node, function) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in _arguments_of(function)


def _arguments_of(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args]


def _tuples(node, function):
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        yield from (_with(node, elts=items) for items in _neighbors_exchanged(node.elts))
    if isinstance(node, ast.Call) and len(node.args) > 2:
        yield from (_with(node, args=items) for items in _neighbors_exchanged(node.args))


def _neighbors_exchanged(items: list) -> Iterator[list]:
    for place in range(len(items) - 1):
        yield [*items[:place], items[place + 1], items[place], *items[place + 2 :]]


def _arguments(node, function):
    if _is_argument(node, function):
        yield from (_code(name) for name in _arguments_of(function) if name != node.id)


def _steps(node, function):
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range":
        place = min(1, len(node.args) - 1)
        for text in ("x - 1", "x + 1"):
            yield _with(node, args=[*node.args[:place], _code(text, node.args[place]), *node.args[place + 1 :]])
    if isinstance(node, ast.For):
        yield _with(node, body=[*node.body, ast.Break()])
        yield _with(node, iter=_code("list(x)[1:]", node.iter))
    if isinstance(node, ast.comprehension):
        yield from (_with(node, iter=_code(text, node.iter)) for text in ("list(x)[:1]", "list(x)[1:]"))


def _moved(node, function):
    """The last statement of a loop, done once behind it."""
    if isinstance(node, ast.For) and len(node.body) > 1:
        yield ast.If(ast.Constant(True), [_with(node, body=node.body[:-1]), node.body[-1]], [])


def _left_out(node, function):
    if isinstance(node, (ast.AugAssign, ast.Expr)):
        yield ast.Pass()
    simple = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    if simple and node.targets[0].id in {one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)}:
        yield ast.Pass()


_RETURNED = ("x[::-1]", "x.T", "x[0]", "x[:-1]", "x[1:]", "2 * x", "x + 1", "1 - x")


def _returned(node, function):
    if isinstance(node, ast.Return) and node.value:
        yield from (_with(node, value=_code(text, node.value)) for text in _RETURNED)


_CHANGES = {
    "reduction": _reductions,
    "call": _names,
    "axis": _axes,
    "operator": _operators,
    "sign": _signs,
    "comparison": _comparisons,
    "constant": _constants,
    "slice": _slices,
    "dropped": _dropped,
    "absolute": _absolute,
    "order": _tuples,
    "other argument": _arguments,
    "loop": _steps,
    "left out": _left_out,
    "moved": _moved,
    "returned": _returned,
}
