from __future__ import annotations

import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch

from benchmarks import model_cases
from benchmarks.contenders import (
    COMPILED,
    COMPILED_BF16,
    EAGER,
    EAGER_BF16,
    INFERENCE,
    LATENCY,
    MODES,
    TRAINING,
    Target,
    counted_flops,
    inference,
    on,
    step,
)
from benchmarks.model_cases import DENSE, FOLDED, OURS, Grid, Traffic, cases, device_cases
from benchmarks.models import Settings, judged, main, measured_task, ratio
from benchmarks.models_report import _label, markdown
from benchmarks.peers import BATCHED, DIFFCONV, LOOP, STCONV, STCONV_WIDE

TINY = Traffic(30, 120, 2, 1.6, 10.0)


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def without_packages(monkeypatch):
    for name in ("torch_geometric_temporal", "tsl"):
        for module in [name, *(m for m in sys.modules if m.startswith(f"{name}."))]:
            monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture(scope="module")
def traffic():
    return model_cases.traffic(TINY, seed=0)


@pytest.mark.parametrize("name", ["traffic-30", "skeleton", "grid"])
def test_all_agree_with_the_dense_model_in_double_precision(name):
    case = cases(quick=True)[name](0)
    assert {"output", "gradient"} <= set(case.agreement)
    assert all(0 <= value < 1e-9 for value in case.agreement.values())
    assert {DENSE, OURS} <= set(case.contenders)


def test_other_weights_do_not_agree(monkeypatch):
    monkeypatch.setattr(model_cases.dense_resnet, "copy_weights", lambda plain, ours: None)
    agreement = model_cases.grid_agreement(Grid(2, 4, 5, 2, 8), seed=0)
    assert min(agreement.values()) > 1e-6


def test_contenders_predict_the_same_without_dropout(traffic):
    expected = inference(traffic.contenders[DENSE], EAGER)()
    for name in (BATCHED, LOOP):
        out = inference(traffic.contenders[name], EAGER)()
        torch.testing.assert_close(out, expected)
    ours = inference(traffic.contenders[OURS], EAGER)()
    torch.testing.assert_close(ours.permute(1, 2, 3, 0), expected)
    single = inference(traffic.contenders[OURS], EAGER, LATENCY)()
    torch.testing.assert_close(single, ours[:, :1])


def test_a_step_returns_the_loss_and_all_gradients(traffic):
    contender = traffic.contenders[OURS]
    loss, *grads = step(contender, EAGER)()
    assert len(grads) == len(list(contender.model.parameters()))
    assert loss.item() > 0
    torch.testing.assert_close(grads[0], next(contender.model.parameters()).grad)


def test_inference_leaves_the_model_in_training(traffic):
    model = traffic.contenders[OURS].model.train()
    first, second = (inference(traffic.contenders[OURS], EAGER)() for _ in range(2))
    assert torch.equal(first, second)  # no dropout
    assert model.training


def test_operations_are_counted():
    one, two = torch.randn(3, 4), torch.randn(4, 5)
    assert counted_flops(lambda: one @ two) == 2 * 3 * 4 * 5
    case = model_cases.traffic(TINY, seed=0)
    sparse = counted_flops(step(case.contenders[OURS], EAGER))
    dense = counted_flops(step(case.contenders[DENSE], EAGER))
    # two polynomials forward and backward: of 10 and of 6 steps, 16 channels, two operations each
    width = TINY.batch * 16 * (10 + 6)
    products = 2 * 2 * 2 * width
    no_graph = dense - products * 30**2
    assert sparse == pytest.approx(no_graph + products * (120 + 30), rel=0.02)


def test_flops_of_the_sparse_sum():
    from tgst import ops

    adjacency = ops.Adjacency.build(torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
    x, weight = torch.randn(3, 7, requires_grad=True), torch.ones(3, requires_grad=True)
    assert counted_flops(lambda: ops.spmm(adjacency, x, weight).sum().backward()) == 3 * 2 * 3 * 7


def test_what_cannot_be_imported_is_listed(without_packages):
    case = model_cases.traffic(TINY, seed=0)
    assert set(case.absent) == {STCONV, STCONV_WIDE, DIFFCONV}
    assert case.absent[DIFFCONV].startswith("tsl.nn.layers: ModuleNotFoundError: ")
    assert {DENSE, OURS, BATCHED, LOOP} == set(case.contenders)
    rows = [row_of(DENSE, 3.0), row_of(OURS, 1.0)]
    targets = {target["rival"]: target for target in judged(case, rows)}
    assert targets[STCONV]["measured"] is None
    assert targets[STCONV]["met"] is None


@pytest.mark.parametrize(
    ("name", "module"), [(STCONV_WIDE, "torch_geometric_temporal"), (DIFFCONV, "tsl")]
)
def test_other_packages_take_part_where_they_are(traffic, name, module):
    if name in traffic.absent:
        pytest.skip(traffic.absent[name])
    contender = traffic.contenders[name]
    assert inference(contender, EAGER)().shape == contender.expected.shape
    assert step(contender, EAGER)()[0].item() > 0
    assert any(module in type(m).__module__ for m in contender.model.modules())


def row_of(model, ms, mode=EAGER, task=TRAINING, case="traffic-30", reason=None):
    return {"case": case, "mode": mode, "task": task, "model": model, "ms": ms, "reason": reason}


def test_targets():
    targets = (
        Target(OURS, DENSE, TRAINING, EAGER, 1.6),
        Target(OURS, LOOP, TRAINING, EAGER, 10.0),
        Target(OURS, DENSE, TRAINING, COMPILED, 1.6),
        Target(FOLDED, DENSE, INFERENCE, EAGER, 1.25),
    )
    case = SimpleNamespace(name="traffic-30", targets=targets)
    rows = [
        *(row_of(*each) for each in ((OURS, 10.0), (DENSE, 16.0), (LOOP, 99.0))),
        *(row_of(name, 5.0, case="another") for name in (OURS, DENSE)),
        row_of(OURS, 10.0, COMPILED),
        {**row_of(DENSE, None, COMPILED, reason="stopped")},
        *(row_of(*each, EAGER, INFERENCE) for each in ((FOLDED, 4.0), (OURS, 9.0), (DENSE, 5.2))),
    ]
    found = judged(case, rows)
    assert [each["measured"] for each in found] == [1.6, 9.9, None, 1.3]
    assert [each["met"] for each in found] == [True, False, None, True]
    assert ratio(rows, rows[2], rows[0]) == 9.9
    assert ratio(rows, rows[2], {**rows[0], "mode": COMPILED}) == 9.9


def test_one_that_fails_has_a_reason(traffic):
    def stop(*_, **__):
        raise RuntimeError("no compiler\nmore")

    broken = traffic.contenders[DENSE]._replace(model=torch.nn.Identity())
    broken.model.forward = stop
    case = traffic._replace(contenders={DENSE: broken, OURS: traffic.contenders[OURS]})
    rows = measured_task(case, INFERENCE, EAGER, {}, Settings(2, 1.0, 32))
    there = {row["model"]: row for row in rows}
    assert there[DENSE]["reason"] == "RuntimeError: no compiler"
    assert there[OURS]["ms"] > 0


def run(tmp_path, *arguments):
    main(["--quick", "--threads", "1", "--out", str(tmp_path), *arguments])
    record = json.loads((tmp_path / "models.json").read_text())
    return record, (tmp_path / "models.md").read_text()


def test_writes_its_record(tmp_path, one_thread, without_packages, capsys):
    record, text = run(tmp_path, "--modes", EAGER, "--cases", "traffic-30", "skeleton")
    traffic, skeleton = record["cases"]
    times = {row["model"]: row for row in traffic["rows"] if row["task"] == TRAINING}
    assert list(times) == [DENSE, OURS, BATCHED, LOOP]
    for name, row in times.items():
        assert row["ours_is_faster"] == pytest.approx(row["ms"] / times[OURS]["ms"])
        assert row["peak_bytes"] > 0
        if name in (DENSE, OURS):
            per_second = row["flops"] / (row["ms"] / 1e3)
            assert row["share"] == pytest.approx(per_second / row["product_flops_per_s"])
    tasks = [row["task"] for row in skeleton["rows"] if row["model"] == FOLDED]
    assert tasks == [INFERENCE, LATENCY]
    over_loop = next(t for t in traffic["targets"] if t["rival"] == LOOP)
    assert over_loop["measured"] == pytest.approx(times[LOOP]["ms"] / times[OURS]["ms"])
    assert over_loop["met"] == (over_loop["measured"] >= 10)
    assert f"Not measured: {STCONV} (torch_geometric_temporal" in text
    assert f"| training step | eager | {OURS} | {times[OURS]['ms']:.1f} ± " in text
    assert f"{OURS} over {DENSE} | compiled | 1.6 | not measured |  |" in text
    assert (tmp_path / "models.png").exists()


@pytest.mark.slow
def test_compiled(tmp_path, one_thread, monkeypatch, capsys):
    size = Grid(2, 4, 5, 1, 4)
    case = model_cases.grid(size, size, 0)._replace(tasks=(INFERENCE,))
    monkeypatch.setattr("benchmarks.models.cases", lambda quick: {"grid": lambda seed: case})
    record, text = run(tmp_path, "--modes", COMPILED)
    rows = record["cases"][0]["rows"]
    assert [row["model"] for row in rows] == [DENSE, OURS]
    assert all(row["reason"] is None and math.isfinite(row["ms"]) for row in rows)
    assert all(row["from_eager"] < 1e-4 for row in rows)
    assert "compiled against eager in float32" in text


def test_unknown_cases_are_refused(tmp_path):
    with pytest.raises(SystemExit):
        main(["--quick", "--out", str(tmp_path), "--cases", "nothing"])


def test_a_failed_compilation_is_in_the_table(tmp_path):
    row = {**row_of(OURS, None, COMPILED, reason="BackendError: no g++"), "ours_is_faster": None}
    case = {"title": "T", "agreement": {}, "absent": {}, "rows": [row], "targets": []}
    about = {
        "hardware": "H",
        "threads": 1,
        "versions": {},
        "date": "2020-01-01",
        "command": "c",
        "seed": 0,
        "repetitions": 2,
        "product": 8,
    }
    text = markdown(about, [case])
    assert "| training step | compiled | ours | BackendError: no g++ | | | | |" in text


def test_targets_across_modes_and_of_memory():
    targets = (
        Target(OURS, DENSE, TRAINING, COMPILED_BF16, 2.5, rival_mode=EAGER),
        Target(OURS, DENSE, TRAINING, EAGER, 3.0, quantity="peak_bytes"),
    )
    case = SimpleNamespace(name="traffic-30", targets=targets)
    rows = [
        {**row_of(DENSE, 30.0), "peak_bytes": 600},
        {**row_of(OURS, 20.0), "peak_bytes": 250},
        row_of(OURS, 10.0, COMPILED_BF16),
    ]
    found = judged(case, rows)
    assert [each["measured"] for each in found] == [3.0, 2.4]
    assert [each["met"] for each in found] == [True, False]


def test_bfloat16_is_near_float32(traffic):
    contender = traffic.contenders[OURS]
    exact, narrow = (inference(contender, mode)() for mode in (EAGER, EAGER_BF16))
    assert narrow.dtype == torch.bfloat16
    assert 0 < (narrow.float() - exact).abs().max() < 0.1
    loss, *grads = step(contender, EAGER_BF16)()
    assert loss.dtype == torch.float32
    assert all(grad.dtype == torch.float32 for grad in grads)


def test_everything_goes_to_a_device(traffic):
    meta = on(torch.device("meta"), traffic.contenders[OURS]._replace(model=torch.nn.Linear(2, 2)))
    adjacency, labels = meta.batch[1:3]
    assert {t.device.type for t in adjacency if isinstance(t, torch.Tensor)} == {"meta"}
    assert labels is None
    assert meta.batch[0].device.type == meta.expected.device.type == "meta"
    assert next(meta.model.parameters()).device.type == "meta"
    assert meta.keywords == traffic.contenders[OURS].keywords


def test_every_mode_has_a_bar_of_its_own():
    labels = [_label(row_of(OURS, 1.0, mode)) for mode in MODES]
    assert labels == ["ours", "ours, compiled", "ours, eager, bfloat16", "ours, compiled, bfloat16"]


def test_cases_of_a_gpu():
    assert list(device_cases()) == ["traffic-8600", "skeleton"]
