"""Names, protocols and lists of missing samples of NTU RGB+D."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from tgst.data.readers.text import read_text

NTUProtocol = Literal["xsub", "xview", "xset", "xsub120"]

# Performers that train, in the protocol of 60 classes and, beyond them, in that of 120.
XSUB_TRAIN = frozenset((1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38))
XSUB120_TRAIN = (
    XSUB_TRAIN
    | frozenset((45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87)))
    | frozenset((89, *range(91, 96), 97, 98, 100, 103))
)
# The samples of 60 classes are those of the setups 1 to 17.
NUM_SETUPS_60, NUM_ACTIONS_60 = 17, 60

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.IGNORECASE)


class NTUName(NamedTuple):
    r"""What the name of a sample of `"NTU RGB+D" <https://arxiv.org/abs/1604.02808>`_ says, such
    as ``S001C002P003R002A013``. All numbers are counted from 1.

    Args:
        setup (int): Height and distance of the cameras, 1-17; 1-32 in NTU RGB+D 120.
        camera (int): 1-3.
        performer (int): 1-40; 1-106 in NTU RGB+D 120.
        replication (int): 1 faces the left camera, 2 the right one.
        action (int): 1-60; 1-120 in NTU RGB+D 120. 50-60 and 106-120 are of two persons.
    """

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @property
    def label(self) -> int:
        r"""The action counted from 0."""
        return self.action - 1

    def __str__(self) -> str:
        return (
            f"S{self.setup:03d}C{self.camera:03d}P{self.performer:03d}"
            f"R{self.replication:03d}A{self.action:03d}"
        )

    @classmethod
    def parse(cls, name: str | Path) -> NTUName:
        r"""Reads a name; folders before it and an ending such as ``.skeleton`` or ``_rgb.avi``
        are left out.

        Args:
            name (str or Path): The name.

        Raises:
            ValueError: If it has another form, or a number is zero.
        """
        found = _NAME.match(Path(name).name)
        if found is None or Path(name).name[found.end() : found.end() + 1] not in ("", ".", "_"):
            raise ValueError(
                f"name: expected one such as 'S001C002P003R002A013', got {str(name)!r}"
            )
        numbers = [int(digits) for digits in found.groups()]
        if 0 in numbers:
            raise ValueError(f"name: expected numbers that are counted from 1, got {str(name)!r}")
        return cls(*numbers)


def ntu_split(name: str | Path | NTUName, protocol: NTUProtocol) -> Literal["train", "test"]:
    r"""Returns the part of a published protocol that a sample is in.

    - :obj:`"xsub"`: 20 performers of `"NTU RGB+D" <https://arxiv.org/abs/1604.02808>`_ train;
    - :obj:`"xview"`: the cameras 2 and 3 train;
    - :obj:`"xsub120"`: 53 performers of `"NTU RGB+D 120" <https://arxiv.org/abs/1905.04757>`_
      train;
    - :obj:`"xset"`: the setups of even number train, of NTU RGB+D 120.

    Args:
        name (str or Path or NTUName): The sample.
        protocol (str): One of the above.

    Raises:
        ValueError: If the protocol is unknown, the name has another form, or the sample is none of
            the 60 classes that :obj:`"xsub"` and :obj:`"xview"` are about.
    """
    if protocol not in get_args(NTUProtocol):
        raise ValueError(f"protocol: expected one of {get_args(NTUProtocol)}, got {protocol!r}")
    sample = name if isinstance(name, NTUName) else NTUName.parse(name)
    beyond = sample.setup > NUM_SETUPS_60 or sample.action > NUM_ACTIONS_60
    if protocol in ("xsub", "xview") and beyond:
        raise ValueError(
            f"protocol: expected 'xsub120' or 'xset' for {sample}, a sample of NTU RGB+D 120, got "
            f"{protocol!r}"
        )
    trains = {
        "xsub": sample.performer in XSUB_TRAIN,
        "xview": sample.camera != 1,
        "xset": sample.setup % 2 == 0,
        "xsub120": sample.performer in XSUB120_TRAIN,
    }
    return "train" if trains[protocol] else "test"


def read_missing_names(path: str | Path) -> frozenset[str]:
    r"""Reads a list of samples whose skeletons are missing or incomplete, as the publishers of NTU
    RGB+D give it: some lines of text (three), then a name per line. It comes with their `tools
    <https://github.com/shahroudy/NTURGB-D>`_: 302 samples of NTU RGB+D and 535 of NTU RGB+D 120;
    it is not part of this package.

    Args:
        path (str or Path): The text file.

    Returns:
        The names, as :obj:`str(NTUName)` writes them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no name, or something else after the first one.
    """
    path = Path(path)
    names: set[str] = set()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            names.add(str(NTUName.parse(line.strip())))
        except ValueError as error:
            if names:
                raise ValueError(f"{path} line {number}: {error}") from error
    if not names:
        raise ValueError(f"{path}: expected names such as S001C002P003R002A013, got none")
    return frozenset(names)
