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
                    "call": 21000.0,
                    "edge": 2.03,
                    "gathered_byte": 0.00232,
                    "far_byte": 0.0117,
                    "output_byte": 0.0119,
                    "fresh_byte": 0.282,
                },
                "sparse_csr": {
                    "call": 33000.0,
                    "edge": 2.36,
                    "gathered_byte": 0.00518,
                    "far_byte": 0.0215,
                    "output_byte": 0.044,
                    "fresh_byte": 0.62,
                },
                "dense": {
                    "call": 26400.0,
                    "edge": 2.08,
                    "pair": 0.343,
                    "output_byte": 0.137,
                    "multiplication": 0.00638,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 33500.0,
                    "edge": 3.77,
                    "gathered_byte": 0.00228,
                    "far_byte": 0.00778,
                },
                "dense": {
                    "call": 25600.0,
                    "edge": 0.198,
                    "pair": 0.906,
                    "multiplication": 0.011,
                },
            },
        },
        "float64": {
            "spmm": {
                "embedding_bag": {
                    "call": 21400.0,
                    "edge": 5.53,
                    "gathered_byte": 0.0151,
                    "far_byte": 0.0215,
                    "output_byte": 0.0168,
                    "fresh_byte": 0.468,
                },
                "sparse_csr": {
                    "call": 29600.0,
                    "edge": 2.46,
                    "gathered_byte": 0.00582,
                    "far_byte": 0.0149,
                    "output_byte": 0.0258,
                    "fresh_byte": 0.58,
                },
                "dense": {
                    "call": 24400.0,
                    "edge": 2.69,
                    "pair": 0.589,
                    "output_byte": 0.0165,
                    "multiplication": 0.0159,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 31300.0,
                    "edge": 9.05,
                    "gathered_byte": 0.00177,
                    "far_byte": 0.00625,
                },
                "dense": {
                    "call": 22500.0,
                    "edge": 1.64,
                    "pair": 0.11,
                    "multiplication": 0.0208,
                },
            },
        },
        "half": {
            "spmm": {
                "embedding_bag": {
                    "call": 21400.0,
                    "edge": 2.4,
                    "gathered_byte": 0.00288,
                    "far_byte": 0.0213,
                    "output_byte": 0.0175,
                    "fresh_byte": 0.284,
                },
                "sparse_csr": {
                    "call": 37800.0,
                    "edge": 4.39,
                    "gathered_byte": 0.0144,
                    "far_byte": 0.0482,
                    "output_byte": 0.291,
                    "fresh_byte": 1.89,
                },
                "dense": {
                    "call": 41500.0,
                    "edge": 2.61,
                    "pair": 0.417,
                    "output_byte": 0.0588,
                    "multiplication": 0.00269,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 22700.0,
                    "edge": 36.2,
                    "gathered_byte": 0.00813,
                    "far_byte": 0.0126,
                },
                "dense": {
                    "call": 34200.0,
                    "edge": 1.53,
                    "pair": 1.44,
                    "multiplication": 0.0032,
                },
            },
        },
    },
}
