r"""Telling from the names of its tensors which code a checkpoint comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

_REFUSED = {
    r"(^|\.)gcn0\.|(^|\.)backbone\.\d+\.gcn1\.|(^|\.)person_bn\.": (
        "ST-GCN v0.1.0 (2018), which multiplies by the graph before its convolutions and adds the "
        "bias afterwards: another network"
    ),
    r"\.tcn\.branches\.|\.tcn\.transform\.": (
        "ST-GCN++ (several branches in its temporal convolution)"
    ),
    r"\.gcn\.down\.": "a PYSKL network with a residual inside its graph convolution (ST-GCN++)",
    r"\.conv_[abd]\.\d": "2s-AGCN or AAGCN (a graph computed from the input)",
    r"\.convs\.\d|\.gcn\d?\.alpha$": "CTR-GCN (a graph refined from the input)",
    r"(^|\.)(sgcn\d|gcn3d\d)\.": "MS-G3D",
    r"(^|\.)blocks\.\d+\.temporal\.weight$": (
        "a state dict of this package: use model.load_state_dict"
    ),
}
_KNOWN = {
    r"^(origin|motion)_stream\.": "two-stream",
    r"^st_gcn_networks\.\d+\.": "st-gcn",
    r"^backbone\.gcn\.\d+\.": "pyskl",
}


def family(names: Iterable[str]) -> str:
    r"""Names the code that a checkpoint's keys belong to.

    Args:
        names: The keys.

    Returns:
        str: :obj:`"st-gcn"`, :obj:`"two-stream"` or :obj:`"pyskl"` (also mmaction2).

    Raises:
        ValueError: If the keys belong to a network that is no ST-GCN, or to none that is known.
    """
    names = list(names)
    for pattern, description in _REFUSED.items():
        for name in names:
            if re.search(pattern, name):
                raise ValueError(
                    f"state_dict: expected ST-GCN as released in 2019, or as PYSKL and mmaction2 "
                    f"save it; the key {name} looks like {description}"
                )
    for pattern, answer in _KNOWN.items():
        if any(re.search(pattern, name) for name in names):
            return answer
    raise ValueError(
        "state_dict: expected the keys of ST-GCN (st_gcn_networks.0.gcn.conv.weight, ...), of its "
        "two-stream form (origin_stream...., motion_stream....) or of PYSKL and mmaction2 "
        f"(backbone.gcn.0.gcn.conv.weight, ...), got {', '.join(names[:3]) or 'none'}"
    )


def expect_family(names: Iterable[str], allowed: tuple[str, ...], reader: str) -> str:
    r"""Names the code and refuses what another reader is for.

    Args:
        names: The keys.
        allowed: The families that the reader takes.
        reader: The reader's name, for the message.

    Returns:
        str: One of :obj:`allowed`.

    Raises:
        ValueError: If the keys belong to another family.
    """
    found = family(names)
    if found not in allowed:
        other = "from_pyskl" if found == "pyskl" else "from_stgcn"
        raise ValueError(f"state_dict: these are keys of {found}, use {other} instead of {reader}")
    return found
