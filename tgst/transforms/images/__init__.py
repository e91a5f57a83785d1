r"""Augmentation of batches of images: modules that take and give :math:`(B, C, H, W)`, each image
with random numbers of its own, the whole batch in a few tensor operations.

The numbers come from PyTorch's global generator of the images' device. They apply whether the
module is in training mode or not: who evaluates leaves them out.
"""

from tgst.transforms.images.random_affine import RandomAffine, affine_images
from tgst.transforms.images.random_clutter import RandomClutter
from tgst.transforms.images.random_erasing import RandomErasing
from tgst.transforms.images.random_noise import RandomNoise

__all__ = ["RandomAffine", "RandomClutter", "RandomErasing", "RandomNoise", "affine_images"]
