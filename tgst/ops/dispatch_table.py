"""What the backends cost: the numbers behind the automatic choice.

Written by ``python -m benchmarks.dispatch --fit --keep_memory``. Nanoseconds per call, per edge,
per byte of gathered rows, the same again for rows that come from beyond the cache, per byte that is
copied into or out of a block of columns, per byte of output, per entry of a dense matrix and per
multiplication with it. A kind that is not there costs nothing.
"""

from __future__ import annotations

MEASURED_ON = {
    "cuda": "not measured: triton, or embedding_bag where it cannot be imported",
    "cpu": "AMD EPYC, 2 cores, 2 threads; torch 2.13.0+cpu; 2026-11-28; freed memory was kept",
}

# {device: {kind of float: {product: {backend: {kind of work: nanoseconds}}}}}
COSTS: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {
    "cpu": {
        "float32": {
            "spmm": {
                "embedding_bag": {
                    "call": 21100.0,
                    "edge": 1.78,
                    "gathered_byte": 0.00385,
                    "far_byte": 0.0166,
                    "output_byte": 0.015,
                },
                "column_blocks": {
                    "call": 23600.0,
                    "edge": 0.647,
                    "gathered_byte": 0.00328,
                    "far_byte": 0.0358,
                    "copied_byte": 0.0486,
                },
                "sparse_csr": {
                    "call": 35500.0,
                    "edge": 2.07,
                    "gathered_byte": 0.0084,
                    "far_byte": 0.0297,
                    "output_byte": 0.0123,
                },
                "dense": {
                    "call": 31100.0,
                    "edge": 2.55,
                    "pair": 0.314,
                    "output_byte": 0.125,
                    "multiplication": 0.00738,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 35500.0,
                    "edge": 3.16,
                    "gathered_byte": 0.00366,
                    "far_byte": 0.0176,
                },
                "column_blocks": {
                    "call": 76100.0,
                    "edge": 1.76,
                    "gathered_byte": 0.00346,
                    "far_byte": 0.0558,
                    "copied_byte": 0.0341,
                },
                "dense": {
                    "call": 26100.0,
                    "edge": 1.87,
                    "pair": 2.0,
                    "multiplication": 0.0122,
                },
            },
        },
        "float64": {
            "spmm": {
                "embedding_bag": {
                    "call": 21300.0,
                    "edge": 5.29,
                    "gathered_byte": 0.0181,
                    "far_byte": 0.0735,
                    "output_byte": 0.036,
                },
                "column_blocks": {
                    "call": 38900.0,
                    "edge": 6.54,
                    "gathered_byte": 0.0168,
                    "far_byte": 0.247,
                    "copied_byte": 0.0628,
                },
                "sparse_csr": {
                    "call": 31600.0,
                    "edge": 2.09,
                    "gathered_byte": 0.00801,
                    "far_byte": 0.0295,
                    "output_byte": 0.0107,
                },
                "dense": {
                    "call": 29700.0,
                    "edge": 2.18,
                    "pair": 0.8,
                    "output_byte": 0.023,
                    "multiplication": 0.0163,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 34800.0,
                    "edge": 8.83,
                    "gathered_byte": 0.0034,
                    "far_byte": 0.0127,
                },
                "column_blocks": {
                    "call": 12300.0,
                    "edge": 5.83,
                    "gathered_byte": 0.00257,
                    "far_byte": 0.0297,
                    "copied_byte": 0.059,
                },
                "dense": {
                    "call": 28300.0,
                    "edge": 0.711,
                    "pair": 0.551,
                    "multiplication": 0.0221,
                },
            },
        },
        "half": {
            "spmm": {
                "embedding_bag": {
                    "call": 18400.0,
                    "edge": 1.74,
                    "gathered_byte": 0.00472,
                    "far_byte": 0.0267,
                    "output_byte": 0.0199,
                },
                "column_blocks": {
                    "edge": 0.924,
                    "gathered_byte": 0.00346,
                    "far_byte": 0.233,
                    "copied_byte": 0.0367,
                },
                "sparse_csr": {
                    "call": 33800.0,
                    "edge": 1.88,
                    "gathered_byte": 0.0162,
                    "far_byte": 0.127,
                    "output_byte": 0.0879,
                },
                "dense": {
                    "call": 40600.0,
                    "edge": 2.95,
                    "pair": 0.302,
                    "output_byte": 0.0527,
                    "multiplication": 0.00176,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 21100.0,
                    "edge": 22.9,
                    "gathered_byte": 0.00759,
                    "far_byte": 0.0232,
                },
                "dense": {
                    "call": 35300.0,
                    "edge": 1.38,
                    "pair": 0.172,
                    "multiplication": 0.00264,
                },
            },
        },
    },
}
