from __future__ import annotations

import pytest
import torch

from tgst.train.report import quarter_half_all, score_table


def scores(offset=0.0):
    steps = torch.arange(1.0, 13.0, dtype=torch.float64)
    return {"mae": steps / 10 + offset, "mape": steps + 10 * offset}


def test_table_shows_chosen_steps_aligned():
    table = score_table({"ours": scores(), "a longer name": scores(10)}, (3, 12), 5, "km/h")
    assert table.splitlines() == [
        "MAE in km/h, MAPE in %; 15, 60 minutes ahead; * = best",
        "",
        "| model         | MAE 15 | MAE 60 | MAPE 15 | MAPE 60 |",
        "| ------------- | -----: | -----: | ------: | ------: |",
        "| ours          |  0.30* |  1.20* |   3.00* |  12.00* |",
        "| a longer name | 10.30  | 11.20  | 103.00  | 112.00  |",
    ]


def test_default_steps_and_best_of_each_column():
    first, second = {"mae": torch.tensor([1.0, 5.0])}, {"mae": torch.tensor([2.0, 4.0])}
    lines = score_table({"first": first, "second": second}, step_minutes=15).splitlines()
    assert lines[2] == "| model  | MAE 15 | MAE 30 |"
    assert lines[4] == "| first  |  1.00* |  5.00  |"
    assert lines[5] == "| second |  2.00  |  4.00* |"


def test_number_of_decimals():
    table = score_table({"a": {"mae": torch.tensor([0.01234])}}, decimals=4)
    assert table.splitlines()[-1] == "| a     | 0.0123* |"


def test_missing_error_is_never_the_best():
    table = score_table({"a": {"mae": torch.tensor([float("nan")])}, "b": {"mae": torch.ones(1)}})
    assert table.splitlines()[-2:] == ["| a     |  nan  |", "| b     | 1.00* |"]


@pytest.mark.parametrize(
    ("horizon", "steps"), [(12, [3, 6, 12]), (9, [3, 5, 9]), (2, [1, 2]), (1, [1])]
)
def test_quarter_half_all(horizon, steps):
    assert quarter_half_all(horizon) == steps


@pytest.mark.parametrize(("steps", "found"), [((0, 3), r"\[0, 3\]"), ((13,), r"\[13\]"), ((), "")])
def test_bad_steps(steps, found):
    with pytest.raises(ValueError, match=f"steps: expected horizon steps in 1 to 12, got {found}"):
        score_table({"ours": scores()}, steps)


def test_bad_scores():
    with pytest.raises(ValueError, match=r"scores: expected at least one model, got none"):
        score_table({})
    other = {"mae": torch.zeros(12), "rmse": torch.zeros(12)}
    with pytest.raises(ValueError, match=r"scores: expected the same metrics .* 'rmse'"):
        score_table({"ours": scores(), "other": other})
    shorter = {name: errors[:6] for name, errors in scores().items()}
    with pytest.raises(ValueError, match=r"scores: expected the same metrics .* \(6,\)"):
        score_table({"ours": scores(), "other": shorter})
