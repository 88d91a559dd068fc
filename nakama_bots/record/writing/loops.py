"""Loops for statements that repeat, with a table of what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nakama_bots.record.writing.merge import Different, Merge, shape
from nakama_bots.record.writing.nodes import Layout, Node, rows_of

_LONGEST: Final = 12
"""Statements in a loop, at most."""
_MOST_VARIABLES: Final = 4


class Loops:
    """Folds repetitions. ``taken``: names that the variables of a loop must not have."""

    def __init__(self, layout: Layout, taken: set[str], *, thinking: bool) -> None:
        self._layout = layout
        self._taken = taken
        self._thinking = thinking

    def folded(self, nodes: Sequence[Node]) -> list[Node]:
        for node in nodes:
            node.body = self.folded(node.body)
        shapes = [shape(node, sources=False) for node in nodes]
        found: list[Node] = []
        index = 0
        while index < len(nodes):
            loop, number = self._best(nodes, shapes, index)
            found.append(loop or nodes[index])
            index += number
        return found

    def _best(self, nodes: Sequence[Node], shapes: Sequence[str], start: int) -> tuple[Node | None, int]:
        """The loop that saves the most lines from ``start`` on, and how many statements it replaces."""
        best: tuple[int, Node | None, int] = (1, None, 1)
        for size in range(1, min(_LONGEST, (len(nodes) - start) // 2) + 1):
            block = shapes[start : start + size]
            times = 1
            while shapes[start + times * size : start + (times + 1) * size] == block:
                times += 1
            while times > 1:
                loop = self._loop([nodes[start + i * size : start + (i + 1) * size] for i in range(times)])
                if loop is None:
                    times -= 1
                    continue
                saved = len(self._layout.lines(nodes[start : start + times * size], 3))
                saved -= len(self._layout.lines([loop], 3))
                if saved > best[0] or (saved == best[0] == 1 and times > 2 and best[1] is None):
                    best = (saved, loop, times * size)
                break
        return best[1], best[2]

    def _loop(self, blocks: Sequence[Sequence[Node]]) -> Node | None:
        merge = Merge(self._taken, sources=False, thinking=self._thinking)
        try:
            body = merge.nodes(blocks)
        except Different:
            return None
        if len(merge.variables) > _MOST_VARIABLES:
            return None
        over = rows_of(merge.variables) if merge.variables else len(blocks)
        return Node(over, after=":", body=body, loop=merge.variables)
