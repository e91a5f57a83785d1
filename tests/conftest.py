"""What must be set before any test module is imported."""

from __future__ import annotations

import os

import torch

# Triton reads this when it is first imported, which any module may bring about: without a CUDA
# device its kernels run in its interpreter.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
