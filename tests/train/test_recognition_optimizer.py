from __future__ import annotations

import pytest
import torch

from tests.train.tiny_images import image_model, with_transformer
from tests.train.tiny_skeleton import skeleton_model
from tgst.train.recognition_optimizer import optimizer_and_schedule, parameter_groups, rates_of

OPTIONS = {
    "optimizer": "sgd",
    "learning_rate": 1.0,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.1,
    "weight_decay_on": "all",
    "scheduler": None,
    "scheduler_args": None,
    "warmup_epochs": 0,
}


def rates(epochs, **kwargs):
    model = torch.nn.Linear(1, 1)
    (optimizer,), (schedule,) = optimizer_and_schedule(model, OPTIONS | kwargs, epochs)
    found = []
    for _ in range(epochs):
        found.append(round(optimizer.param_groups[0]["lr"], 4))
        optimizer.step()
        schedule.step()
    return found


def test_the_schedule_begins_after_the_warm_up():
    multistep = {"scheduler": "multistep", "scheduler_args": {"milestones": [1, 3]}}
    assert rates(5, **multistep) == [1, 0.1, 0.1, 0.01, 0.01]
    assert rates(6, **multistep, warmup_epochs=1) == [0.5, 1, 0.1, 0.1, 0.01, 0.01]
    assert rates(4, warmup_epochs=3) == [0.25, 0.5, 0.75, 1]
    # half a cosine over the four epochs that are left
    assert rates(6, scheduler="cosine", warmup_epochs=2)[:5] == [0.3333, 0.6667, 1, 0.8536, 0.5]


def test_a_warm_up_must_leave_an_epoch():
    with pytest.raises(ValueError, match="warmup_epochs must leave at least one of the 3 epochs"):
        rates(3, warmup_epochs=3)


def test_published_sgd():
    optimizer = optimizer_and_schedule(torch.nn.Linear(1, 1), OPTIONS, None)
    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 0.1)


def test_decay_of_weights_alone():
    model = skeleton_model()
    decayed, free = parameter_groups(model, 0.1, on="weights")
    names = {id(value): name for name, value in model.named_parameters()}
    decayed_names = {names[id(value)] for value in decayed["params"]}
    free_names = {names[id(value)] for value in free["params"]}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert {"blocks.0.conv.weight", "head.weight"} <= decayed_names
    assert {"blocks.0.conv.bias", "blocks.0.norm1.weight", "head.bias"} <= free_names
    assert any("importance" in name for name in free_names)
    assert len(names) == len(decayed_names) + len(free_names)
    (everything,) = parameter_groups(model, 0.1)
    assert len(everything["params"]) == len(names)


def test_the_localisation_net_has_a_rate_of_its_own():
    model = with_transformer()
    local = set(model.transformer.localization.parameters())
    options = OPTIONS | {"weight_decay_on": "weights", "localization_scale": 0.25}
    (optimizer,), (schedule,) = optimizer_and_schedule(
        model, options | {"scheduler": "exponential", "scheduler_args": {"gamma": 0.5}}, 3
    )
    groups = {(group["lr"], group["weight_decay"]): group for group in optimizer.param_groups}
    assert set(groups) == {(1.0, 0.1), (1.0, 0.0), (0.25, 0.1), (0.25, 0.0)}
    for (rate, decay), group in groups.items():
        for value in group["params"]:
            assert (value in local) == (rate == 0.25)
            assert (value.dim() > 1) == (decay > 0)
    assert sum(len(g["params"]) for g in groups.values()) == len(list(model.parameters()))
    optimizer.step()
    schedule.step()
    assert sorted(g["lr"] for g in optimizer.param_groups) == [0.125, 0.125, 0.5, 0.5]


def test_without_a_transformer_or_a_scale_there_is_one_rate():
    assert rates_of(with_transformer(), 1.0, 1.0) == {}
    assert rates_of(image_model(), 1.0, 0.1) == {}
