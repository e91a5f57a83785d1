r"""
Learning where to look
======================

A spatial transformer is a layer that resamples each image by a map that it predicts from the image
itself. Put before a network it learns to cut out what matters: nobody tells it where that is, only
the loss of the network behind it. This page trains one on small shapes among clutter, looks at the
boxes that it learns, and goes through what can be set: the family of maps, the output size, and
several transformers in series or side by side.
"""

# %%
# Shapes among clutter
# --------------------
#
# Four shapes, drawn once, are moved, turned and scaled at random by
# :func:`tgst.transforms.images.affine_images`, one sampling for the whole batch;
# :class:`~tgst.transforms.images.RandomClutter` then strews pieces of the other images over each.

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import tgst
from tgst.nn import warp

torch.manual_seed(0)
SIDE, NAMES = 40, ("ring", "cross", "square", "angle")
axis = torch.arange(SIDE) - (SIDE - 1) / 2
y, x = torch.meshgrid(axis, axis, indexing="ij")
radius, extent = torch.hypot(x, y), torch.maximum(x.abs(), y.abs())
ring, square = (radius - 5.5).abs() < 1.2, (extent - 5.5).abs() < 1.2
cross = (torch.minimum(x.abs(), y.abs()) < 1.2) & (extent < 7)
angle = square & ((x < -3) | (y > 3))
SHAPES = torch.stack([ring, cross, square, angle]).float().unsqueeze(1)
clutter = tgst.transforms.images.RandomClutter(number=5, size=6)


def random_images(number: int, shift: float = 12.0) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return images [B, 1, 40, 40] and their classes."""
    label = torch.randint(len(NAMES), (number,))
    moved = tgst.transforms.images.affine_images(
        SHAPES[label],
        shift=shift * (2 * torch.rand(number, 2) - 1),
        rotation=30 * (2 * torch.rand(number) - 1),
        scale=0.8 + 0.4 * torch.rand(number, 1).expand(-1, 2),
    )
    return clutter(moved), label


images, labels = random_images(6)
figure, panels = plt.subplots(1, 6, figsize=(9, 1.9), layout="constrained")
for panel, image, label in zip(panels, images[:, 0], labels, strict=True):
    panel.imshow(image, cmap="gray", vmin=0, vmax=1)
    panel.set(title=NAMES[int(label)], xticks=[], yticks=[])
plt.show()

# %%
# A transformer before a network
# ------------------------------
#
# It has three parts, each of which can be used alone: a **localisation net** predicts numbers
# :math:`\theta`, a **warp** makes a grid of places to read out of them, and a **sampler** reads the
# image there. The family of maps is up to us. :class:`~tgst.nn.warp.Attention` cuts out squares by
# three numbers, a scale and a shift; as in the experiment on birds of the paper, the scale is fixed
# at a half here, and two numbers are left. Any net that ends in a linear layer localises:
# :class:`~tgst.nn.warp.ConvLocalization`, one of our own, or, as here, a small classifier with
# normalisation. Its last layer is set so that every map starts in the middle of the image.
#
# The output has a size of its own. Here it is 16 x 16, so the network behind has less than a sixth
# of the pixels to look at.


def localization(num_params: int) -> torch.nn.Module:
    return tgst.nn.models.ImageClassifier(
        1, num_params, SIDE, channels=(8, 16), hidden=32, downsample=2
    )


def network(transformer: torch.nn.Module) -> torch.nn.Module:
    return tgst.nn.models.ImageClassifier(
        1, len(NAMES), SIDE, channels=(8, 16), hidden=32, transformer=transformer
    )


attention = warp.Attention(scale=0.5)
layer = tgst.nn.SpatialTransformer(localization(attention.num_params), attention, output_size=16)
output, theta = layer(images, return_transform=True)
print("output", list(output.shape), "from", list(images.shape))
print("theta of the first image:", theta[0].tolist(), "(x, y)")

# %%
# Training is that of any network. A small change of the map changes every pixel, so the
# localisation net takes smaller steps: :func:`tgst.nn.warp.param_groups` makes the groups for an
# optimizer, wherever in the model the transformers are.

STEPS, WATCHED = 250, random_images(6)[0]


def train(model: torch.nn.Module, steps: int = STEPS) -> list[torch.Tensor]:
    r"""Train a model; return what it does to a few images from time to time."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(warp.param_groups(model, 3e-3, localization_scale=0.5))
    seen = []
    for step in range(steps + 1):
        if step % (steps // 12) == 0:
            with torch.no_grad():
                seen.append(model.eval().transform(WATCHED))
        x, label = random_images(64)
        loss = F.cross_entropy(model.train()(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seen


def accuracy(model: torch.nn.Module) -> float:
    torch.manual_seed(2)
    x, label = random_images(1000)
    with torch.no_grad():
        return float((model.eval()(x).argmax(1) == label).float().mean())


model = network(layer)
seen = train(model)
print(f"accuracy {accuracy(model):.3f}")

# %%
# The boxes
# ---------
#
# :func:`tgst.visualize.plot_warp` draws the outline of the output on the input, and the output
# beside it. The dot is the output's left top corner. No box was given in training.

images, labels = random_images(4)
with torch.no_grad():
    theta = model.eval().transform(images)
boxes = tgst.visualize.plot_warp(images, theta, layer)
print("shifts in pixels:", (theta * SIDE / 2).round().tolist())

# %%
# Over the training they move from the middle to the shapes. On the command line
# :class:`tgst.train.RecordTransforms` records this in every epoch.

moving_boxes = tgst.visualize.animate_warp(WATCHED, torch.stack(seen), layer)

# %%
# The output size is free
# -----------------------
#
# The map lives in coordinates from -1 to 1, so the same :math:`\theta` can be read at any size, by
# :class:`tgst.nn.warp.Resample`, which is the layer without its localisation net. An output with
# fewer pixels than the box skips some of them and aliases; with ``antialias`` several points per
# pixel are read and averaged.

figure, panels = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
for panel, (size, antialias) in zip(
    panels, ((32, False), (16, False), (8, False), (8, 3)), strict=True
):
    read = warp.Resample(attention, size, antialias=antialias)(images[:1], theta[:1])
    panel.imshow(read[0, 0], cmap="gray", vmin=0, vmax=1)
    panel.set(title=f"{size} x {size}" + (", antialias" if antialias else ""), xticks=[], yticks=[])
plt.show()

# %%
# Other maps
# ----------
#
# A family is a small class with its number of parameters, its identity, its grid, and the drawing
# of its corners. Those that bend are drawn as a lattice. Here each moves a little at random from
# its identity.

torch.manual_seed(3)
families = (warp.Similarity(), warp.Affine(), warp.Projective(), warp.ThinPlateSpline(points=4))
shown = []
for family in families:
    moved = family.identity() + 0.12 * torch.randn(1, family.num_params)
    shown.append(moved)
    print(f"{type(family).__name__}: {family.num_params} numbers")
bent = tgst.visualize.plot_warp(images[:1], shown[-1], families[-1], 32, titles=["spline"])
straight = tgst.visualize.plot_warp(images[:1], shown[-2], families[-2], 32, titles=["projective"])

# %%
# In series
# ---------
#
# The second transformer reads what the first returned: a coarse look, then a closer one. The map
# of both together is one matrix, which any affine family draws.

coarse = tgst.nn.SpatialTransformer(localization(2), warp.Attention(scale=0.7), output_size=SIDE)
close = tgst.nn.SpatialTransformer(localization(2), warp.Attention(scale=0.7), output_size=16)
series = network(warp.SerialTransformers([coarse, close]))
train(series, 150)
print(f"in series: accuracy {accuracy(series):.3f}")
with torch.no_grad():
    composed = series.eval().transform(images)
print("composed map of the first image:", composed[0], sep="\n")
both_together = tgst.visualize.plot_warp(images, composed, warp.Affine(), 16)

# %%
# Side by side
# ------------
#
# Several maps of the same image, for several things in it. They start apart, on tiles, as equal
# ones would stay equal. The views are the channels of what the network behind takes, or, with
# ``combine="stack"``, a dimension of their own.

parts = warp.ParallelTransformers(localization(4), 2, warp.Attention(scale=0.5), output_size=16)
both = network(parts)
print("channels of the first convolution:", both.features[0].in_channels)
with torch.no_grad():
    theta = both.eval().transform(images[:2])  # [B, 2, 2]
two_starts = tgst.visualize.plot_warp(images[:2], theta.unbind(1), parts)

# %%
# On the command line
# -------------------
#
# The same parts stand in the configurations ``cluttered_mnist_cnn`` and ``cluttered_mnist_stn``:
#
# .. code-block:: sh
#
#    tgst fit --config cluttered_mnist_stn --root DIR
#    tgst test --config cluttered_mnist_stn --root DIR
