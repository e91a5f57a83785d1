r"""Places for the nodes of a graph that has none."""

from __future__ import annotations

import networkx as nx
import numpy as np

SMALL_COMPONENT = 300


def layout_from_edges(edges: np.ndarray, num_nodes: int, seed: int = 0) -> np.ndarray:
    r"""Returns positions from the edges alone: the connected components side by side, in rows.

    A layout of the whole would push unconnected parts so far away that nothing else is seen. Each
    component is laid out by `"An Algorithm for Drawing General Undirected Graphs"
    <https://doi.org/10.1016/0020-0190(89)90102-6>`_ (Kamada and Kawai, 1989) or, above 300 nodes,
    by the quicker `"Graph Drawing by Force-directed Placement"
    <https://doi.org/10.1002/spe.4380211102>`_ (Fruchterman and Reingold, 1991).

    Args:
        edges (numpy.ndarray): The edges; direction, parallel edges and self loops do not matter.
        num_nodes (int): The number of nodes.
        seed (int, optional): Seed of the layout of large components. (default: :obj:`0`)

    Shapes:
        - **edges**: :math:`(2, E)`
        - **output**: :math:`(N, 2)`; the side of a component grows with the root of its size
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(num_nodes))
    graph.add_edges_from(edges[:, edges[0] != edges[1]].T.tolist())
    components = sorted(nx.connected_components(graph), key=len, reverse=True)
    position = np.zeros((num_nodes, 2))
    row_width = 1.2 * np.sqrt(num_nodes)
    left = top = row_height = 0.0
    for component in components:
        nodes = sorted(component)
        placed = _layout_component(graph.subgraph(nodes), seed)
        side = np.sqrt(len(nodes))
        placed = side * (placed - placed.min(axis=0)) / max(np.ptp(placed, axis=0).max(), 1e-9)
        width, height = np.ptp(placed, axis=0) + 0.08 * np.sqrt(num_nodes)
        if left > 0 and left + width > row_width:
            left, top, row_height = 0.0, top - row_height, 0.0
        position[nodes] = placed + np.array([left, top - height])
        left, row_height = left + width, max(row_height, height)
    return position


def _layout_component(graph: nx.Graph, seed: int) -> np.ndarray:
    r"""Force-directed positions of a connected graph, the same at each call."""
    nodes = sorted(graph)
    # Distances along the graph unfold it best, at a cost that is cubic.
    if len(nodes) <= SMALL_COMPONENT:
        position = nx.kamada_kawai_layout(graph)
    else:
        position = nx.spring_layout(graph, seed=seed)
    return np.array([position[node] for node in nodes]).reshape(len(nodes), 2)
