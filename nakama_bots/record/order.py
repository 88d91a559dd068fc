"""The order of the steps of all roles: which must come before which, and which waits are needed for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from nakama_bots.record.steps import Part, Step


class Order:
    """A graph of steps. A step comes after those before it in its role, and after what it waits for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._points: dict[int, int] = {}
        """``id`` of the first step of a point that roles wait at, by ``id`` of each."""
        self._after: defaultdict[int, set[int]] = defaultdict(set)
        shared = {step.name: step for part in parts for step in part.steps if step.kind == "share"}
        for part in parts:
            for step in part.steps:
                if step.kind == "hear" and step.name in shared:
                    self.add(shared[step.name], step)

    def add(self, earlier: Step, later: Step) -> None:
        """``later`` comes after ``earlier``."""
        self._after[self._node(earlier)].add(self._node(later))

    def remove(self, earlier: Step, later: Step) -> None:
        """Take back ``add``."""
        self._after[self._node(earlier)].discard(self._node(later))

    def join(self, steps: Sequence[Step]) -> None:
        """Make one point of steps of several roles: none of them ends before all have begun."""
        for step in steps:
            self._points[id(step)] = id(steps[0])

    def part(self, steps: Sequence[Step]) -> None:
        """Take back ``join``."""
        for step in steps:
            del self._points[id(step)]

    def reaches(self, earlier: Step, later: Step) -> bool:
        """True if ``later`` comes after ``earlier`` by what is known."""
        return self._node(later) in self._reached(self._node(earlier), self._graph())

    def circular(self) -> bool:
        """True if some steps would wait for each other."""
        try:
            TopologicalSorter(self._graph()).prepare()
        except CycleError:
            return True
        return False

    def _node(self, step: Step) -> int:
        return self._points.get(id(step), id(step))

    def _graph(self) -> Mapping[int, set[int]]:
        graph: defaultdict[int, set[int]] = defaultdict(set)
        for part in self._parts:
            for one, following in pairwise(map(self._node, part.steps)):
                graph[one].add(following)
        for one, later in self._after.items():
            graph[one] |= later
        return graph

    @staticmethod
    def _reached(start: int, graph: Mapping[int, set[int]]) -> set[int]:
        reached: set[int] = set()
        left = [start]
        while left:
            for one in graph.get(left.pop(), ()):
                if one not in reached:
                    reached.add(one)
                    left.append(one)
        return reached
