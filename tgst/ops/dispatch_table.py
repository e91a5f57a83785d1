"""What the backends cost: the numbers behind the automatic choice.

Written by ``python -m benchmarks.dispatch --fit``. Nanoseconds per call, per edge, per byte of
gathered rows, the same again for rows that come from beyond the cache, per byte of output, per
entry of a dense matrix and per multiplication with it. Kinds that a backend lacks cost nothing.
"""

from __future__ import annotations

MEASURED_ON = {"cpu": "AMD EPYC, 2 cores, 2 threads; torch 2.13.0+cpu; 2026-11-28"}

# {device: {kind of float: {product: {backend: {kind of work: nanoseconds}}}}}
COSTS: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {
    "cpu": {
        "float32": {
            "spmm": {
                "embedding_bag": {"call": 20000.0, "edge": 5.0, "gathered_byte": 0.05},
                "dense": {"call": 20000.0, "edge": 8.0, "pair": 0.5, "multiplication": 0.012},
            },
            "sddmm": {
                "embedding_bag": {"call": 20000.0, "edge": 5.0, "gathered_byte": 0.05},
                "dense": {"call": 20000.0, "edge": 8.0, "pair": 0.5, "multiplication": 0.012},
            },
        },
    },
}
