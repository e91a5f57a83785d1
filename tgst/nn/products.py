r"""Dense products of rows with weight matrices, with one per partition label among them.

On CPU the narrow types run as convolutions with one tap: oneDNN uses the whole width of the
processor's vectors on every x86, the library behind :func:`torch.matmul` does not on AMD's, where
they are 1.3 to 2 times as fast. Elsewhere, and where a node has one row or few numbers, they are
one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

_ONEDNN = torch.backends.mkldnn.is_available()
_NARROW = (torch.float32, torch.bfloat16, torch.float16)
_NUMBERS = 128  # that a node needs for an image of its own to pay
_FRESH_BYTES = (
    2**25
)  # from here on, the copy that the matrix product needs costs more than it saves


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Returns :func:`torch.nn.functional.linear` of rows.

    Shapes:
        - **x**: :math:`(N, L, C_{in})`
        - **weight**: :math:`(C_{out}, C_{in})`
        - **bias**: :math:`(C_{out})`
        - **output**: :math:`(N, L, C_{out})`
    """
    if not _as_convolution(x):
        return F.linear(x, weight, bias)
    # A kernel in the memory format of the image: the compiler would convert the image otherwise.
    kernel = _image(weight[:, None, None])
    return _rows(F.conv2d(_image(x.unsqueeze(1)), kernel, bias)).squeeze(1)


def sum_of_products(
    terms: Iterable[Tensor], weights: Iterable[Tensor], bias: Tensor | None = None
) -> Tensor:
    r"""Multiplies each term by its matrix and adds them up.

    Shapes:
        - **terms**: :math:`(N, L, C_{in})` each
        - **weights**: :math:`(C_{in}, C_{out})` each
        - **bias**: :math:`(C_{out})`
        - **output**: :math:`(N, L, C_{out})`
    """
    out, shape = None, None
    for x, weight in zip(terms, weights, strict=True):
        shape = (*x.shape[:2], weight.size(1))
        out = _with_product(out, x, weight, bias)
    assert out is not None
    assert shape is not None
    return out.view(shape) if out.dim() == 2 else _rows(out).squeeze(1)


def _with_product(out: Tensor | None, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not _as_convolution(x):
        rows = x.flatten(0, 1)
        if out is not None:
            return torch.addmm(out, rows, weight)
        return rows @ weight if bias is None else torch.addmm(bias, rows, weight)
    image, kernel = _image(x.unsqueeze(1)), weight.t()[:, :, None, None]
    if out is None:
        return F.conv2d(image, kernel, bias)
    return _added(out, F.conv2d(image, kernel))


def sum_over_labels(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Multiplies the rows of each label by its matrix and adds them up.

    Shapes:
        - **x**: :math:`(N, K, L, C_{in})`
        - **weight**: :math:`(K, C_{in}, C_{out})`
        - **bias**: :math:`(C_{out})`, or :math:`(N, C_{out})`, one for every node
        - **output**: :math:`(N, L, C_{out})`
    """
    shared = bias if bias is None or bias.dim() == 1 else None
    if not _as_convolution(x):
        out = F.linear(x.transpose(1, 2).flatten(2), weight.flatten(0, 1).t(), shared)
        if bias is None or bias is shared:
            return out
        return out + bias.to(out.dtype).unsqueeze(1)
    kernel = _image(weight.permute(2, 0, 1).unsqueeze(2).contiguous())
    out = F.conv2d(_image(x), kernel, shared)
    if bias is not shared:
        out = _added(out, bias[:, :, None, None])  # type: ignore[index]
    return _rows(out).squeeze(1)


def product_per_label(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Multiplies all rows by the matrix of every label.

    Shapes:
        - **x**: :math:`(N, L, C_{in})`
        - **weight**: :math:`(K, C_{in}, C_{out})`
        - **bias**: :math:`(K, C_{out})`
        - **output**: :math:`(N, K, L, C_{out})`
    """
    if not _as_convolution(x):
        flat = None if bias is None else bias.flatten()
        out = F.linear(x, weight.transpose(1, 2).flatten(0, 1), flat)
        return out.unflatten(-1, (weight.size(0), weight.size(2))).transpose(1, 2)
    kernel = _image(weight.transpose(0, 1).unsqueeze(2).contiguous())
    out = _rows(F.conv_transpose2d(_image(x.unsqueeze(1)), kernel))
    return out if bias is None else out + bias.to(out.dtype).unsqueeze(1)


def _added(out: Tensor, more: Tensor) -> Tensor:
    # In place on the image itself: on a view it would cost copies in the backward pass. Under
    # vmap only one of the two may have the dimension that is mapped.
    if torch._C._are_functorch_transforms_active():
        return out + more
    return out.add_(more)


def _as_convolution(x: Tensor) -> bool:
    # A convolution refuses images without width.
    fits = x.dtype in _NARROW and x.size(-2) > 0 and not _is_short(x)
    return x.device.type == "cpu" and fits and _ONEDNN and bool(torch.backends.mkldnn.enabled)


def _is_short(x: Tensor) -> bool:
    # One row needs no copy; see sum_over_labels.
    known = statically_known_true if torch.compiler.is_compiling() else bool
    few = known(x.size(-2) * x.size(-1) < _NUMBERS)
    return known(x.size(-2) == 1) or (few and known(x.numel() * x.itemsize < _FRESH_BYTES))


def _image(rows: Tensor) -> Tensor:
    # [N, H, W, C] in memory is a channels-last image: no copy.
    return rows.permute(0, 3, 1, 2)


def _rows(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1)
