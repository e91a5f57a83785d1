import warnings

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.data import _update_dataloader
from torch.utils.data import BatchSampler, DistributedSampler, SequentialSampler

from tests.data.test_series import stamps
from tgst.data import Series, split_rows, split_windows
from tgst.loader import WindowLoader

STEPS = 120


def example(num_steps: int = STEPS) -> Series:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(3, num_steps, 2, generator=generator) + 1
    mask = torch.rand(3, num_steps, generator=generator) < 0.8
    return Series(values, stamps(num_steps), mask, channels=("speed", "flow"))


def loader(part="train", **kwargs) -> WindowLoader:
    arguments = {"history": 4, "horizon": 3, "batch_size": 10} | kwargs
    return WindowLoader(example(), part=part, **arguments)


def starts_of(batches) -> list[int]:
    return [start for batch in batches for start in batch.start.tolist()]


def same(first, second) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("part", ["train", "val", "test", None])
def test_windows_equal_a_loop(part):
    series = example()
    batches = list(loader(part))
    expected = range(STEPS - 6) if part is None else split_windows(STEPS, 4, 3)[part]
    assert sorted(starts_of(batches)) == list(expected)
    for batch in batches:
        for position, start in enumerate(batch.start.tolist()):
            assert torch.equal(batch.x[:, position], series.values[:, start : start + 4])
            assert torch.equal(batch.y[:, position], series.values[:, start + 4 : start + 7])
            assert torch.equal(batch.mask[:, position], series.mask[:, start : start + 4])
            assert torch.equal(batch.y_mask[:, position], series.mask[:, start + 4 : start + 7])


def test_training_does_not_see_later_rows():
    changed = example()
    first = split_rows(STEPS)["val"].start
    changed.values[:, first:] = float("nan")
    changed.mask[:, first:] = False
    for batch in WindowLoader(changed, 4, 3, part="train"):
        assert batch.x.isfinite().all()
        assert batch.y.isfinite().all()


def test_number_and_size_of_batches():
    batches = list(loader("test"))  # 24 test rows hold 22 windows
    assert [len(batch.start) for batch in batches] == [10, 10, 2]
    assert len(loader("test")) == 3
    assert [len(batch.start) for batch in loader("test", drop_last=True)] == [10, 10]


@pytest.mark.parametrize("part", ["val", "test", None])
def test_only_training_is_shuffled(part):
    assert starts_of(loader(part)) == loader(part).starts.tolist()
    assert starts_of(loader("train")) != loader("train").starts.tolist()
    assert starts_of(loader("train", shuffle=False)) == loader("train").starts.tolist()
    assert starts_of(loader("test", shuffle=True)) != loader("test").starts.tolist()


def test_shuffling_is_reproducible():
    first, second = loader(seed=5), loader(seed=5)
    epochs = [starts_of(first) for _ in range(3)]
    assert [starts_of(second) for _ in range(3)] == epochs
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert starts_of(loader(seed=6)) not in epochs


@pytest.mark.parametrize("part", ["train", "test"])
def test_global_random_state_is_untouched(part):
    before = torch.get_rng_state()
    list(loader(part))
    assert torch.equal(torch.get_rng_state(), before)


def test_stride_and_target_channels_and_time_of_day():
    batch = next(iter(loader("test", stride=5, target_channels=["flow"], time_of_day=True)))
    assert np.diff(batch.start.numpy()).tolist() == [5] * 4
    assert batch.x.shape == (3, 5, 4, 2)
    assert batch.y.shape == (3, 5, 3, 1)
    assert torch.equal(batch.y[:, 0, 0, 0], example().values[:, batch.start[0] + 4, 1])
    angle = 2 * np.pi * (batch.start[0].item() * 300) / 86_400
    assert batch.covariates[0, 0, 0, 0].item() == pytest.approx(np.sin(angle))


def weeks(days: int, first: str = "2024-03-04") -> Series:
    r"""Readings every six hours; 4 March 2024 is a Monday."""
    times = np.datetime64(first, "s") + np.timedelta64(6 * 3600, "s") * np.arange(4 * days)
    return Series(torch.rand(2, 4 * days, 1), times)


def test_day_of_week_is_refused_unless_training_covers_it():
    message = (
        r"`day_of_week` needs training rows of every weekday, got none of Saturday, Sunday in "
        r"rows 0\.\.20 of `split` \(0\.5, 0\.1, 0\.4\); .*day_of_week='auto'"
    )
    for part in ("train", "test"):
        with pytest.raises(ValueError, match=message):
            WindowLoader(weeks(10), 2, 1, part, (0.5, 0.1, 0.4), day_of_week=True)
    batch = next(iter(WindowLoader(weeks(10), 2, 1, "test", day_of_week=True)))
    assert batch.covariates.shape == (1, 8, 3, 7)
    assert batch.start[0] == 30  # days 7, 7 and 8: Monday, Monday, Tuesday
    assert batch.covariates[0, 0].argmax(dim=-1).tolist() == [0, 0, 1]


def test_day_of_week_only_if_covered():
    arguments = {"day_of_week": "auto", "time_of_day": True}
    short = WindowLoader(weeks(10), 2, 1, "test", (0.5, 0.1, 0.4), **arguments)
    assert next(iter(short)).covariates.size(-1) == 2
    assert next(iter(WindowLoader(weeks(10), 2, 1, "test", **arguments))).covariates.size(-1) == 9
    with pytest.raises(ValueError, match="`day_of_week` must be True, False or 'auto', got 'yes'"):
        WindowLoader(weeks(10), 2, 1, day_of_week="yes")


def test_own_covariates():
    own = torch.arange(float(STEPS)).view(STEPS, 1)
    batch = next(iter(loader("test", covariates=own)))
    rows = batch.start[:, None] + torch.arange(7)
    assert torch.equal(batch.covariates[0, ..., 0], rows.float())


def test_windows_within_a_day():
    within = WindowLoader(example(3 * 288), 12, 9, batch_size=288, within_day=True)
    assert len(within.starts) == 3 * 268
    moments = np.concatenate([within.timestamps_of(batch) for batch in within])
    assert (moments[:, 0].astype("M8[D]") == moments[:, -1].astype("M8[D]")).all()


def test_timestamps_of():
    test = loader("test")
    batch = next(iter(test))
    moments = test.timestamps_of(batch)
    first = split_rows(STEPS)["test"].start
    assert moments.shape == (10, 3)
    assert moments[0].tolist() == stamps(STEPS)[first : first + 3].tolist()
    assert moments[9].tolist() == stamps(STEPS)[first + 9 : first + 12].tolist()


def test_worker_gives_the_same_batches():
    expected, got = loader(), loader(num_workers=1)
    for _ in range(2):
        assert all(same(a, b) for a, b in zip(expected, got, strict=True))


def test_series_shorter_than_a_window():
    message = r"part 'train' is shorter than a window: .* history 12 \+ horizon 12 = 24"
    with pytest.raises(ValueError, match=message):
        WindowLoader(example(30), part="train")
    with pytest.raises(ValueError, match="`part` must be one of"):
        WindowLoader(example(), part="validation")
    with pytest.raises(ValueError, match="`target_channels` must be indices"):
        WindowLoader(example(), target_channels=[2])


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("read", [0, 1, 4, 8])
def test_state_continues_where_it_stopped(read, num_workers):
    full = loader(seed=2)
    epochs = [starts_of(full) for _ in range(3)]
    assert len(full) == 8

    stopped = loader(seed=2, num_workers=num_workers)
    list(stopped)
    iterator = iter(stopped)
    before = [next(iterator) for _ in range(read)]
    resumed = loader(seed=2, num_workers=num_workers)
    resumed.load_state_dict(stopped.state_dict())
    assert resumed.state_dict() == stopped.state_dict()
    if read < 8:
        assert starts_of(before) + starts_of(resumed) == epochs[1]
    assert starts_of(resumed) == epochs[2]


def test_another_epoch_is_not_skipped():
    stopped = loader()
    next(iter(stopped))
    assert stopped.state_dict() == {"epoch": 0, "position": 1}
    resumed = loader()
    resumed.load_state_dict(stopped.state_dict())
    resumed.sampler.set_epoch(1)  # a trainer that left the epoch early goes on with the next
    list(stopped)
    full = loader()
    list(full)
    assert starts_of(resumed) == starts_of(full)


def test_state_without_shuffling():
    stopped = loader("test")
    iterator = iter(stopped)
    next(iterator)
    resumed = loader("test")
    resumed.load_state_dict(stopped.state_dict())
    assert starts_of(resumed) == stopped.starts[10:].tolist()
    assert starts_of(resumed) == stopped.starts.tolist()


@pytest.mark.parametrize("in_hook", [True, False])
def test_built_again_with_a_distributed_sampler(in_hook):
    kwargs = {"target_channels": [1], "time_of_day": True, "stride": 2, "drop_last": True}
    kwargs |= {"day_of_week": "auto", "covariates": torch.rand(3, STEPS, 1), "within_day": True}
    if in_hook:  # inside a hook Lightning records the arguments, elsewhere it reads attributes
        from lightning.fabric.utilities.data import _replace_dunder_methods
        from torch.utils.data import DataLoader

        with _replace_dunder_methods(DataLoader, "dataset"):
            original = loader(**kwargs)
    else:
        original = loader(**kwargs)
    ranks = []
    for rank in range(2):
        sampler = DistributedSampler(original.dataset, num_replicas=2, rank=rank, seed=1)
        again = _update_dataloader(original, sampler)
        assert type(again) is WindowLoader
        assert again.sampler is sampler
        assert again.drop_last
        assert (again.day_of_week, again.within_day) == ("auto", True)
        batch = next(iter(again))
        assert same(batch, original.dataset.__getitems__(list(sampler)[:10]))
        assert batch.y.shape == (3, 10, 3, 1)
        ranks.append(set(sampler))
    assert len(ranks[0] | ranks[1]) == len(original.starts)


def test_distributed_position_is_restored():
    def on_rank_0() -> WindowLoader:
        sampler = DistributedSampler(loader().dataset, num_replicas=2, rank=0, seed=1)
        return loader(sampler=sampler)

    full, stopped, resumed = on_rank_0(), on_rank_0(), on_rank_0()
    for one in (full, stopped):
        one.sampler.set_epoch(1)
    iterator = iter(stopped)
    before = [next(iterator), next(iterator)]
    resumed.load_state_dict(stopped.state_dict())
    assert starts_of(before) + starts_of(resumed) == starts_of(full)


def test_own_batch_sampler():
    batches = BatchSampler(SequentialSampler(loader().dataset), 4, drop_last=False)
    assert starts_of(loader(batch_sampler=batches)) == loader().starts.tolist()
    assert len(next(iter(loader(batch_sampler=batches))).start) == 4


class Recorder(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)
        self.seen: list[list[int]] = []

    def training_step(self, batch, index):
        self.seen.append(batch.start.tolist())
        return (self.linear(batch.x[..., 0]) - batch.y[..., 0]).square().mean()

    def validation_step(self, batch, index):
        self.log("val", batch.y.mean(), batch_size=batch.x.size(1))

    def predict_step(self, batch, index):
        return batch.start

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def trainer(max_epochs: int = 1, callback=None, **kwargs) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=max_epochs,
        callbacks=[] if callback is None else [callback],
        enable_checkpointing=callback is not None,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **kwargs,
    )


@pytest.mark.parametrize("limit", [1.0, 4])
@pytest.mark.parametrize("save", ["epoch", "validation", "step"])
def test_resumed_fit_sees_the_same_windows(tmp_path, save, limit):
    where = {
        "epoch": {"save_on_train_epoch_end": True},
        "validation": {"save_on_train_epoch_end": False},
        "step": {"every_n_train_steps": 3},
    }[save]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few workers, short epochs
        full, stopped, resumed = Recorder(), Recorder(), Recorder()
        trainer(3, limit_train_batches=limit).fit(full, loader(), loader("val"))
        callback = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=1, **where)
        trainer(2, callback, limit_train_batches=limit).fit(stopped, loader(), loader("val"))
        again = trainer(3, limit_train_batches=limit)
        again.fit(resumed, loader(), loader("val"), ckpt_path=callback.best_model_path)
    steps = torch.load(callback.best_model_path, weights_only=True)["global_step"]
    assert 0 < steps < len(full.seen)
    assert resumed.seen == full.seen[steps:]


def test_predict_visits_every_window_in_order():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictions = trainer().predict(Recorder(), loader("test"))
    assert torch.cat(predictions).tolist() == loader("test").starts.tolist()
