"""Every warp family with its options, and parameters for it."""

import torch

from tgst.nn import warp as w

FAMILIES = {
    "translation": w.Translation,
    "attention": w.Attention,
    "attention_log": lambda: w.Attention(log_scale=True),
    "scale_translation": w.ScaleTranslation,
    "scale_translation_log": lambda: w.ScaleTranslation(log_scale=True),
    "similarity": w.Similarity,
    "similarity_log": lambda: w.Similarity(log_scale=True),
    "affine": w.Affine,
    "affine_bounded": lambda: w.Affine(bound=0.5),
    "projective": w.Projective,
    "tps": w.ThinPlateSpline,
    "tps_bounded": lambda: w.ThinPlateSpline((3, 4), bound=0.2),
    "affine_3d": w.Affine3d,
}


def near_identity(warp, rows=3, spread=0.1, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, warp.num_params, generator=generator, dtype=torch.float64)
    return (warp.identity(torch.float64) + spread * noise).to(dtype)


def image(warp, size, channels=2, rows=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, channels, *size[-warp.dim :], generator=generator, dtype=torch.float64)
    return x.to(dtype)


def assert_same(actual, expected, tolerance=1e-12):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
