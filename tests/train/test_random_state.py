from __future__ import annotations

import io
import random
from types import SimpleNamespace

import numpy as np
import torch

from tgst.train import RandomState


def draw():
    uniform = np.random.random_sample(3)  # noqa: NPY002
    return torch.rand(3).tolist(), uniform.tolist(), [random.random() for _ in range(3)]


def draw_normal():
    return np.random.standard_normal(), random.gauss(0, 1)  # noqa: NPY002


def saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_all_generators_continue_where_they_were_saved():
    draw_normal()  # leaves a cached number, which is part of the state
    state = saved(RandomState().state_dict())
    expected = draw(), draw_normal()
    draw()
    callback = RandomState()
    callback.load_state_dict(state)
    callback.on_train_epoch_start(SimpleNamespace(is_global_zero=True), None)
    assert (draw(), draw_normal()) == expected


def test_restores_once_in_the_first_process_when_an_epoch_starts():
    state = RandomState().state_dict()
    expected = draw()
    callback = RandomState()
    callback.load_state_dict(state)
    assert draw() != expected
    callback.on_train_epoch_start(SimpleNamespace(is_global_zero=False), None)
    assert draw() != expected
    first = SimpleNamespace(is_global_zero=True)
    callback.on_train_epoch_start(first, None)
    assert draw() == expected
    callback.on_train_epoch_start(first, None)
    assert draw() != expected
