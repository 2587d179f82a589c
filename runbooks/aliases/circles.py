"""The circles in a graph: what leads back to itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def circles(graph: Mapping[T, Sequence[T]]) -> Iterator[frozenset[T]]:
    """The sets of nodes that all lead to one another, and single ones that lead to themselves.

    ``graph`` has every node's next ones; all of them are nodes, too. Time in proportion to it: Kosaraju's algorithm.
    """
    back: dict[T, list[T]] = {node: [] for node in graph}
    for node, following in graph.items():
        for one in following:
            back[one].append(node)
    seen: set[T] = set()
    order = [node for start in graph for node in _reached(start, graph, seen)]
    seen = set()
    for start in reversed(order):
        found = frozenset(_reached(start, back, seen))
        if len(found) > 1 or any(node in graph[node] for node in found):
            yield found


def _reached(start: T, graph: Mapping[T, Sequence[T]], seen: set[T]) -> list[T]:
    """What is reached from a node and was not seen before, each behind all that it leads to."""
    if start in seen:
        return []
    seen.add(start)
    way, found = [(start, iter(graph[start]))], []
    while way:
        node, following = way[-1]
        one = next((one for one in following if one not in seen), None)
        if one is None:
            found.append(node)
            way.pop()
        else:
            seen.add(one)
            way.append((one, iter(graph[one])))
    return found
