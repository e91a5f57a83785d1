r"""A convolutional network that classifies images, with or without a spatial transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from tgst.nn.folding import fuse

POOLS = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}


class ImageClassifier(torch.nn.Module):
    r"""A plain convolutional network for images of one size, with a spatial transformer before it
    if one is given, as in `"Spatial Transformer Networks" <https://arxiv.org/abs/1506.02025>`_
    (Jaderberg et al., 2015).

    Stages of convolutions (each with batch normalisation and ReLU) end with a pooling by 2; a
    hidden layer and a linear layer follow. What the transformer gives, of whatever size and number
    of channels, is what the first convolution takes.

    As it ends in a linear layer, it may also be the localisation net of a
    :class:`tgst.nn.SpatialTransformer`, with the number of parameters for that of classes.

    Args:
        in_channels (int): Channels of an image.
        num_classes (int): Number of classes.
        image_size (int or sequence of int): Its height and width; one number for a square.
        channels (sequence of int, optional): Channels of each stage. (default: :obj:`(32, 64)`)
        kernel_size (int or sequence of int, optional): Side of the convolutions, odd; one for each
            stage or one for all. (default: :obj:`3`)
        hidden (int, optional): Width of the hidden layer; 0 for none. (default: :obj:`128`)
        dropout (float, optional): Share that is dropped before the hidden and before the last
            layer. (default: :obj:`0.0`)
        batch_norm (bool, optional): Normalise after each convolution and the hidden layer, which
            then have no bias. (default: :obj:`True`)
        convs_per_stage (int, optional): Convolutions before each pooling. (default: :obj:`1`)
        pool (str, optional): :obj:`"max"` or :obj:`"average"`. (default: :obj:`"max"`)
        transformer (torch.nn.Module, optional): A :class:`tgst.nn.SpatialTransformer`, several of
            them in series or parallel, or another module that takes and gives images and, called
            with :obj:`return_transform=True`, its transform as well. (default: :obj:`None`)
        head (str, optional): :obj:`"flatten"`: every place of the last feature map enters the
            hidden layer; :obj:`"average"`: the mean over all places. (default: :obj:`"flatten"`)
        downsample (int, optional): Average what the first convolution takes over squares of so many
            pixels; 2 in the localisation net of the paper. (default: :obj:`1`)

    Shapes:
        - **input:** :math:`(B, \text{in\_channels}, H, W)`
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If an argument is out of range, the image is too small for the stages, or the
            input has another shape; names the expected one.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int | Sequence[int],
        channels: Sequence[int] = (32, 64),
        kernel_size: int | Sequence[int] = 3,
        hidden: int = 128,
        dropout: float = 0.0,
        batch_norm: bool = True,
        convs_per_stage: int = 1,
        pool: Literal["max", "average"] = "max",
        transformer: torch.nn.Module | None = None,
        head: Literal["flatten", "average"] = "flatten",
        downsample: int = 1,
    ) -> None:
        super().__init__()
        kernels = [kernel_size] * len(channels) if isinstance(kernel_size, int) else [*kernel_size]
        _check_kernels(kernels, channels)
        _check_sizes(
            in_channels=in_channels,
            num_classes=num_classes,
            channels=min(channels, default=0),
            convs_per_stage=convs_per_stage,
            downsample=downsample,
        )
        if hidden < 0:
            raise ValueError(f"hidden: expected at least 0, got {hidden}")
        for name, value, known in (("pool", pool, POOLS), ("head", head, ("flatten", "average"))):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        self.in_channels, self.num_classes = in_channels, num_classes
        self.image_size = _two("image_size", image_size)
        self.channels = tuple(channels)
        self.kernel_size, self.convs_per_stage = tuple(kernels), convs_per_stage
        self.hidden, self.dropout, self.batch_norm = hidden, dropout, batch_norm
        self.pool, self.head, self.downsample = pool, head, downsample
        self.transformer = transformer
        seen_channels, *seen_size = self._seen()
        height, width = (side // downsample >> len(self.channels) for side in seen_size)
        if min(height, width) < 1:
            raise ValueError(
                f"image_size: {len(self.channels)} stages halve the side to nothing, expected at "
                f"least {downsample << len(self.channels)} pixels, got {seen_size}"
            )
        self.features = torch.nn.Sequential(*self._stages(seen_channels, kernels))
        last = self.channels[-1]
        self.classifier = self._classifier(last if head == "average" else last * height * width)

    def _seen(self) -> tuple[int, int, int]:
        r"""Channels, height and width of what the first convolution takes."""
        if self.transformer is None:
            return self.in_channels, *self.image_size
        modes = {module: module.training for module in self.transformer.modules()}
        self.transformer.eval()  # no statistics of zeros
        with torch.no_grad():
            given = self.transformer(torch.zeros(1, self.in_channels, *self.image_size))
        for module, mode in modes.items():
            module.training = mode
        if given.dim() != 4:
            raise ValueError(
                f"transformer: expected one that gives images [B, C, H, W], got {list(given.shape)}"
            )
        return given.size(1), given.size(2), given.size(3)

    def _stages(self, width: int, kernels: Sequence[int]) -> list[torch.nn.Module]:
        layers: list[torch.nn.Module] = []
        if self.downsample > 1:
            layers.append(torch.nn.AvgPool2d(self.downsample))
        for channels, kernel in zip(self.channels, kernels, strict=True):
            for _ in range(self.convs_per_stage):
                options: dict[str, Any] = {"padding": kernel // 2, "bias": not self.batch_norm}
                layers.append(torch.nn.Conv2d(width, channels, kernel, **options))
                if self.batch_norm:
                    layers.append(torch.nn.BatchNorm2d(channels))
                layers.append(torch.nn.ReLU())
                width = channels
            layers.append(POOLS[self.pool](2))
        return layers

    def _classifier(self, width: int) -> torch.nn.Sequential:
        layers: list[torch.nn.Module] = [torch.nn.Dropout(self.dropout)]
        if self.hidden:
            layers.append(torch.nn.Linear(width, self.hidden, bias=not self.batch_norm))
            if self.batch_norm:
                layers.append(torch.nn.BatchNorm1d(self.hidden))
            layers += [torch.nn.ReLU(), torch.nn.Dropout(self.dropout)]
            width = self.hidden
        return torch.nn.Sequential(*layers, torch.nn.Linear(width, self.num_classes))

    def forward(self, x: Tensor, return_transform: bool = False) -> Any:
        r"""Returns the logits.

        Args:
            x (torch.Tensor): The images.
            return_transform (bool, optional): Return the transform as well.
                (default: :obj:`False`)
        """
        self._check(x)
        transform = None
        if self.transformer is not None and return_transform:
            x, transform = self.transformer(x, return_transform=True)
        elif self.transformer is not None:
            x = self.transformer(x)
        features = self.features(x)
        features = features.mean((2, 3)) if self.head == "average" else features.flatten(1)
        logits = self.classifier(features)
        return (logits, transform) if return_transform else logits

    def transform(self, x: Tensor) -> Any:
        r"""What the transformer does to images: its parameters :math:`\theta`, as it gives them.

        Args:
            x (torch.Tensor): The images.

        Raises:
            ValueError: If there is no transformer.
        """
        if self.transformer is None:
            raise ValueError("transformer: expected one, got None")
        self._check(x)
        return self.transformer(x, return_transform=True)[1]

    def fuse(self) -> ImageClassifier:
        r"""Returns a copy for inference, without batch normalisations, see :func:`tgst.nn.fuse`."""
        return fuse(self)

    def _check(self, x: Tensor) -> None:
        expected = (self.in_channels, *self.image_size)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"x: expected shape [B, {', '.join(map(str, expected))}] (batch, channels, height, "
                f"width), got {list(x.shape)}"
            )

    def __repr__(self) -> str:
        with_transformer = "" if self.transformer is None else ", with a transformer"
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.num_classes}, "
            f"channels={self.channels}{with_transformer})"
        )


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")


def _check_kernels(kernels: Sequence[int], channels: Sequence[int]) -> None:
    if len(kernels) != len(channels):
        raise ValueError(
            f"kernel_size: expected one for each of {len(channels)} stages, got {list(kernels)}"
        )
    for kernel in kernels:
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel_size: expected odd numbers, got {kernel}")


def _two(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(f"{name}: expected a number of pixels or [height, width], got {value}")
    return pair[0], pair[1]
