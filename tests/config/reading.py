"""Which keys of the configuration a piece of code reads: `config.dicom.port`, or `.port` of what holds that section."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from core.config.loading import SECTIONS

BY_CLASS = {kind.__name__: name for name, kind in SECTIONS.items()}


def keys_read(code: str) -> set[str]:
    """`section.key` for each key read. A name holds a section when annotated with its class or assigned from it."""
    tree = ast.parse(code)
    held = _holders(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found |= {f"{section}.{node.attr}" for section in _sections(node.value, held)}
        elif _is_getattr(node):
            assert isinstance(node, ast.Call)
            found |= {f"{s}.{key}" for s in _sections(node.args[0], held) for key in _spelled(node.args[1], s)}
    return found


def _holders(tree: ast.AST) -> dict[str, str]:
    """Names with the section they hold."""
    nodes = list(ast.walk(tree))
    held = {node.arg: BY_CLASS[_last(node.annotation)] for node in nodes if _is_section_argument(node)}  # type: ignore[attr-defined]
    for _round in range(2):  # `site = config.site`, then `self._site = site`
        for node in nodes:
            for name, value in _pairs(node) if isinstance(node, ast.Assign) else ():
                for section in _sections(value, held):
                    held[name] = section
    return held


def _is_section_argument(node: ast.AST) -> bool:
    return isinstance(node, ast.arg) and node.annotation is not None and _last(node.annotation) in BY_CLASS


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from ((_last(t), v) for t, v in zip(target.elts, node.value.elts, strict=False))
        else:
            yield _last(target), node.value


def _sections(value: ast.expr, held: dict[str, str]) -> set[str]:
    """The section that an expression stands for: `….config.site`, `services.site`, or a name that holds one."""
    name = _last(value)
    if name in held:
        return {held[name]}
    is_path = isinstance(value, ast.Attribute) and name in SECTIONS
    return {name} if is_path else set()


def _last(value: ast.expr) -> str:
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _is_getattr(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _last(node.func) == "getattr" and len(node.args) >= 2


def _spelled(name: ast.expr, section: str) -> Iterator[str]:
    """Keys that a name built of pieces, such as f"{paper}_printer", can be."""
    if isinstance(name, ast.JoinedStr):
        ends = "".join(str(part.value) for part in name.values if isinstance(part, ast.Constant))
        yield from (key for key in SECTIONS[section].__dataclass_fields__ if key.endswith(ends))
