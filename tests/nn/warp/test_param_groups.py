import torch

from tgst.nn import SpatialTransformer
from tgst.nn import warp as w


def net(num_params=6, channels=1):
    return w.ConvLocalization(channels, num_params, 8, (2,), 3, 4)


def ids(parameters):
    return {id(p) for p in parameters}


def test_localisation_nets_anywhere_in_a_model():
    deep = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1), SpatialTransformer(net()))
    views = w.ParallelTransformers([net(2), net(2)], 2, w.Translation())
    model = torch.nn.ModuleDict(
        {"deep": torch.nn.Sequential(deep), "views": views, "head": torch.nn.Linear(3, 2)}
    )
    base, local = w.param_groups(model, 0.4, 0.25)
    assert (base["lr"], local["lr"]) == (0.4, 0.1)
    assert ids(base["params"]) == ids([*deep[0].parameters(), *model["head"].parameters()])
    expected = [*deep[1].localization.parameters(), *views.localization.parameters()]
    assert ids(local["params"]) == ids(expected)
    optimizer = torch.optim.SGD(w.param_groups(model, 0.4, 0.25), lr=1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.4, 0.1]


def test_order_is_that_of_the_model():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), SpatialTransformer(net()))
    flat = [p for group in w.param_groups(model, 1.0) for p in group["params"]]
    assert all(p is q for p, q in zip(flat, model.parameters(), strict=True))


def test_a_layer_alone():
    for layer in (
        SpatialTransformer(net()),
        w.ParallelTransformers(net(4), 2, w.Translation()),
        w.SerialTransformers([SpatialTransformer(net())]),
    ):
        (group,) = layer.param_groups(0.5)
        assert group["lr"] == 0.05
        assert ids(group["params"]) == ids(layer.parameters())


def test_shared_frozen_and_absent():
    shared = net()
    model = torch.nn.ModuleList([SpatialTransformer(shared), shared, torch.nn.Linear(2, 2)])
    model[2].weight.requires_grad_(False)
    base, local = w.param_groups(model, 1.0)
    assert ids(base["params"]) == {id(model[2].bias)}
    assert ids(local["params"]) == ids(shared.parameters())
    (plain,) = w.param_groups(torch.nn.Linear(2, 2), 0.3)
    assert plain["lr"] == 0.3
    assert len(plain["params"]) == 2
