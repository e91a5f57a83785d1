"""What the backends cost: the numbers behind the automatic choice.

Written by ``python -m benchmarks.dispatch --fit``. Nanoseconds per call, per edge, per byte of
gathered rows, the same again for rows that come from beyond the cache, per byte of output, the
same again for an output in fresh memory, per entry of a dense matrix and per multiplication with
it. A kind that is not there costs nothing.
"""

from __future__ import annotations

MEASURED_ON = {
    "cuda": "not measured: triton, or embedding_bag where it cannot be imported",
    "cpu": "AMD EPYC, 2 cores, 1 threads; torch 2.13.0+cpu; 2026-11-28",
}

# {device: {kind of float: {product: {backend: {kind of work: nanoseconds}}}}}
COSTS: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {
    "cpu": {
        "float32": {
            "spmm": {
                "embedding_bag": {
                    "call": 16200.0,
                    "edge": 1.92,
                    "gathered_byte": 0.00501,
                    "far_byte": 0.0224,
                    "output_byte": 0.0253,
                    "fresh_byte": 0.474,
                },
                "sparse_csr": {
                    "call": 27600.0,
                    "edge": 2.0,
                    "gathered_byte": 0.0156,
                    "far_byte": 0.0371,
                    "output_byte": 0.0661,
                    "fresh_byte": 1.0,
                },
                "dense": {
                    "call": 19300.0,
                    "edge": 7.61,
                    "pair": 0.0388,
                    "output_byte": 0.056,
                    "multiplication": 0.0192,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 31200.0,
                    "edge": 3.73,
                    "gathered_byte": 0.00752,
                    "far_byte": 0.00911,
                },
                "dense": {
                    "call": 18400.0,
                    "edge": 8.67,
                    "multiplication": 0.0202,
                },
            },
        },
        "float64": {
            "spmm": {
                "embedding_bag": {
                    "call": 20200.0,
                    "edge": 6.62,
                    "gathered_byte": 0.0145,
                    "far_byte": 0.038,
                    "output_byte": 0.048,
                    "fresh_byte": 1.17,
                },
                "sparse_csr": {
                    "call": 31400.0,
                    "edge": 2.91,
                    "gathered_byte": 0.0115,
                    "far_byte": 0.0445,
                    "output_byte": 0.0617,
                    "fresh_byte": 1.32,
                },
                "dense": {
                    "call": 20400.0,
                    "edge": 1.25,
                    "pair": 1.63,
                    "output_byte": 0.00183,
                    "multiplication": 0.0418,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 34000.0,
                    "edge": 23.6,
                    "gathered_byte": 0.00272,
                    "far_byte": 0.0248,
                },
                "dense": {
                    "call": 21000.0,
                    "edge": 1.39,
                    "pair": 0.462,
                    "multiplication": 0.0447,
                },
            },
        },
        "half": {
            "spmm": {
                "embedding_bag": {
                    "call": 16600.0,
                    "edge": 2.41,
                    "gathered_byte": 0.00796,
                    "far_byte": 0.0236,
                    "output_byte": 0.0244,
                    "fresh_byte": 1.03,
                },
                "sparse_csr": {
                    "call": 32200.0,
                    "edge": 1.91,
                    "gathered_byte": 0.0318,
                    "far_byte": 0.12,
                    "output_byte": 0.21,
                    "fresh_byte": 6.91,
                },
                "dense": {
                    "call": 39000.0,
                    "edge": 6.76,
                    "pair": 0.111,
                    "output_byte": 0.043,
                    "multiplication": 0.00427,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 23700.0,
                    "edge": 30.7,
                    "gathered_byte": 0.0137,
                    "far_byte": 0.0292,
                },
                "dense": {
                    "call": 36400.0,
                    "edge": 3.93,
                    "multiplication": 0.00474,
                },
            },
        },
    },
}
