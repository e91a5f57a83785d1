"""What the backends cost: the numbers behind the automatic choice.

Written by ``python -m benchmarks.dispatch --fit``. Nanoseconds per call, per edge, per byte of
gathered rows, the same again for rows that come from beyond the cache, per byte of output, the
same again for an output in fresh memory, per entry of a dense matrix and per multiplication with
it. A kind that is not there costs nothing.
"""

from __future__ import annotations

MEASURED_ON = {
    "cuda": "not measured: triton, or embedding_bag where it cannot be imported",
    "cpu": "AMD EPYC, 2 cores, 2 threads; torch 2.13.0+cpu; 2026-11-28",
}

# {device: {kind of float: {product: {backend: {kind of work: nanoseconds}}}}}
COSTS: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {
    "cpu": {
        "float32": {
            "spmm": {
                "embedding_bag": {
                    "call": 20800.0,
                    "edge": 1.89,
                    "gathered_byte": 0.00294,
                    "far_byte": 0.0071,
                    "output_byte": 0.0137,
                    "fresh_byte": 0.276,
                },
                "sparse_csr": {
                    "call": 32000.0,
                    "edge": 1.76,
                    "gathered_byte": 0.0108,
                    "far_byte": 0.00182,
                    "output_byte": 0.0157,
                    "fresh_byte": 0.348,
                },
                "dense": {
                    "call": 26300.0,
                    "edge": 2.7,
                    "pair": 0.315,
                    "output_byte": 0.0516,
                    "multiplication": 0.0102,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 33200.0,
                    "edge": 3.52,
                    "gathered_byte": 0.0029,
                    "far_byte": 0.00436,
                },
                "dense": {
                    "call": 22000.0,
                    "edge": 2.0,
                    "pair": 2.13,
                    "multiplication": 0.0116,
                },
            },
        },
        "float64": {
            "spmm": {
                "embedding_bag": {
                    "call": 22300.0,
                    "edge": 4.61,
                    "gathered_byte": 0.0156,
                    "far_byte": 0.0235,
                    "output_byte": 0.0282,
                    "fresh_byte": 0.455,
                },
                "sparse_csr": {
                    "call": 31100.0,
                    "edge": 1.99,
                    "gathered_byte": 0.00656,
                    "far_byte": 0.0109,
                    "output_byte": 0.0121,
                    "fresh_byte": 0.319,
                },
                "dense": {
                    "call": 27000.0,
                    "edge": 2.41,
                    "pair": 0.629,
                    "output_byte": 0.0233,
                    "multiplication": 0.0167,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 34800.0,
                    "edge": 8.38,
                    "gathered_byte": 0.00195,
                    "far_byte": 0.00654,
                },
                "dense": {
                    "call": 25800.0,
                    "edge": 1.32,
                    "pair": 0.142,
                    "multiplication": 0.0219,
                },
            },
        },
        "half": {
            "spmm": {
                "embedding_bag": {
                    "call": 19200.0,
                    "edge": 1.66,
                    "gathered_byte": 0.00348,
                    "far_byte": 0.0139,
                    "output_byte": 0.0145,
                },
                "sparse_csr": {
                    "call": 34600.0,
                    "edge": 1.91,
                    "gathered_byte": 0.0137,
                    "far_byte": 0.0326,
                    "output_byte": 0.083,
                    "fresh_byte": 1.59,
                },
                "dense": {
                    "call": 39800.0,
                    "edge": 2.74,
                    "pair": 0.346,
                    "output_byte": 0.0492,
                    "multiplication": 0.0017,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 21100.0,
                    "edge": 22.6,
                    "gathered_byte": 0.00564,
                    "far_byte": 0.0119,
                },
                "dense": {
                    "call": 34600.0,
                    "edge": 1.16,
                    "pair": 0.229,
                    "multiplication": 0.00253,
                },
            },
        },
    },
}
