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
                    "call": 19700.0,
                    "edge": 1.74,
                    "gathered_byte": 0.00374,
                    "far_byte": 0.0174,
                    "output_byte": 0.0145,
                },
                "column_blocks": {
                    "call": 19700.0,
                    "far_byte": 0.0174,
                    "edge": 1.87,
                    "gathered_byte": 0.00222,
                    "copied_byte": 0.053,
                },
                "sparse_csr": {
                    "call": 32300.0,
                    "edge": 2.07,
                    "gathered_byte": 0.00855,
                    "far_byte": 0.0296,
                    "output_byte": 0.0112,
                },
                "dense": {
                    "call": 27600.0,
                    "edge": 2.2,
                    "pair": 0.296,
                    "output_byte": 0.0514,
                    "multiplication": 0.00998,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 34600.0,
                    "edge": 3.31,
                    "gathered_byte": 0.00371,
                    "far_byte": 0.0157,
                },
                "column_blocks": {
                    "call": 34600.0,
                    "far_byte": 0.0157,
                    "edge": 3.72,
                    "gathered_byte": 0.00273,
                    "copied_byte": 0.0579,
                },
                "dense": {
                    "call": 25400.0,
                    "edge": 0.805,
                    "pair": 0.505,
                    "multiplication": 0.0116,
                },
            },
        },
        "float64": {
            "spmm": {
                "embedding_bag": {
                    "call": 21000.0,
                    "edge": 5.07,
                    "gathered_byte": 0.019,
                    "far_byte": 0.076,
                    "output_byte": 0.0229,
                },
                "column_blocks": {
                    "call": 21000.0,
                    "far_byte": 0.076,
                    "edge": 9.0,
                    "gathered_byte": 0.0188,
                    "copied_byte": 0.0296,
                },
                "sparse_csr": {
                    "call": 30400.0,
                    "edge": 2.07,
                    "gathered_byte": 0.00858,
                    "far_byte": 0.0268,
                    "output_byte": 0.0102,
                },
                "dense": {
                    "call": 28900.0,
                    "edge": 2.88,
                    "pair": 0.629,
                    "output_byte": 0.0217,
                    "multiplication": 0.0177,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 34100.0,
                    "edge": 8.78,
                    "gathered_byte": 0.00343,
                    "far_byte": 0.0127,
                },
                "column_blocks": {
                    "call": 34100.0,
                    "far_byte": 0.0127,
                    "edge": 8.04,
                    "gathered_byte": 0.00299,
                    "copied_byte": 0.019,
                },
                "dense": {
                    "call": 28400.0,
                    "edge": 1.82,
                    "multiplication": 0.0227,
                },
            },
        },
        "half": {
            "spmm": {
                "embedding_bag": {
                    "call": 18100.0,
                    "edge": 1.68,
                    "gathered_byte": 0.00473,
                    "far_byte": 0.0267,
                    "output_byte": 0.0179,
                },
                "column_blocks": {
                    "call": 18100.0,
                    "far_byte": 0.0267,
                    "edge": 2.06,
                    "gathered_byte": 0.003,
                    "copied_byte": 0.0315,
                },
                "sparse_csr": {
                    "call": 33100.0,
                    "edge": 1.6,
                    "gathered_byte": 0.0184,
                    "far_byte": 0.123,
                    "output_byte": 0.0768,
                },
                "dense": {
                    "call": 40900.0,
                    "edge": 2.63,
                    "pair": 0.331,
                    "output_byte": 0.041,
                    "multiplication": 0.00166,
                },
            },
            "sddmm": {
                "embedding_bag": {
                    "call": 21400.0,
                    "edge": 21.6,
                    "gathered_byte": 0.00699,
                    "far_byte": 0.0229,
                },
                "dense": {
                    "call": 34800.0,
                    "edge": 1.16,
                    "pair": 0.117,
                    "multiplication": 0.00286,
                },
            },
        },
    },
}
