from __future__ import annotations

import torch

from tgst.train.moving_average import averaged_model


def test_weights_and_statistics_are_averaged_by_hand():
    model = torch.nn.BatchNorm1d(1)
    averaged = averaged_model(model, decay=0.25)
    expected = None
    for step, value in enumerate((1.0, 5.0, 9.0, -3.0)):
        model.weight.data.fill_(value)
        model.running_mean.fill_(10 * value)
        model.num_batches_tracked.fill_(step)
        averaged.update_parameters(model)
        kept = min(0.25, (1 + step) / (10 + step))  # 0.18 in the first average
        expected = value if expected is None else kept * expected + (1 - kept) * value
    torch.testing.assert_close(averaged.module.weight.data, torch.tensor([expected]))
    torch.testing.assert_close(averaged.module.running_mean, torch.tensor([10 * expected]))
    assert averaged.module.num_batches_tracked == 3
    assert not any(value.requires_grad for value in averaged.parameters())
