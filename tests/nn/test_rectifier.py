import pytest
import torch
import torch.nn.functional as F
from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
from torch._dynamo.backends.common import aot_autograd
from torch._inductor.decomposition import select_decomp_table

from tgst.nn import PartitionConv
from tgst.nn.blocks import SkeletonBlock, TrafficBlock
from tgst.nn.rectifier import relu

EDGES = torch.tensor([[0, 1, 2, 3, 1], [1, 0, 1, 2, 3]])


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def values(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.manual_seed(0))


def kept_for_backward(module, *inputs):
    """Compiles a module and returns the dtypes of what its forward graph gives."""
    found = []

    def forward(graph, _):
        outputs = next(node for node in graph.graph.nodes if node.op == "output").args[0]
        found.extend(node.meta["val"].dtype for node in outputs if hasattr(node, "meta"))
        return make_boxed_func(graph.forward)

    backend = aot_autograd(
        fw_compiler=forward,
        bw_compiler=lambda graph, _: make_boxed_func(graph.forward),
        partition_fn=min_cut_rematerialization_partition,
        decompositions=select_decomp_table(),
    )
    out = torch.compile(module, backend=backend, fullgraph=True)(*inputs)
    out.square().sum().backward()
    return found


@pytest.mark.parametrize("inplace", [False, True])
def test_equals_torch(inplace):
    x = values(5, 3).requires_grad_()
    for run in (relu, torch.compile(relu, backend="aot_eager", fullgraph=True)):
        given = x * 1.0
        out = run(given, inplace)
        assert torch.equal(out, F.relu(x))
        (grad,) = torch.autograd.grad(out.square().sum(), x)
        assert torch.equal(grad, 2 * F.relu(x))


def test_the_gradient_at_zero_is_zero():
    x = torch.zeros(3, requires_grad=True)
    run = torch.compile(relu, backend="aot_eager")
    for out in (relu(x), run(x)):
        assert torch.equal(torch.autograd.grad(out.sum(), x)[0], torch.zeros(3))


@pytest.mark.parametrize("given", [lambda x: x, lambda x: x.t(), lambda x: x.bfloat16()])
def test_inductor_gives_the_same(given):
    x = given(values(5, 3)).detach().requires_grad_()
    run = torch.compile(lambda x: 2 * relu(3 * x), fullgraph=True)
    out, expected = run(x), 2 * F.relu(3 * x)
    assert torch.equal(out, expected)
    # The gradient of a sum is one number that is seen everywhere.
    found, wanted = (torch.autograd.grad(each.sum(), x)[0] for each in (out, expected))
    assert torch.equal(found, wanted)


def test_derivatives_of_other_kinds_in_compiled_code():
    x, tangent = values(4), values(4).flip(0)

    def along(x):
        return torch.func.jvp(relu, (x,), (tangent,))[1]

    def gradient(x):
        return torch.func.grad(lambda x: relu(x).square().sum())(x)

    for function in (along, gradient):
        run = torch.compile(function, backend="aot_eager", fullgraph=True)
        assert torch.equal(run(x), function(x))
    assert torch.equal(along(x), tangent * (x > 0))


def test_second_derivative_of_the_operator():
    x = values(6).requires_grad_()
    torch.autograd.gradgradcheck(torch.ops.tgst.relu, x)


def test_no_operator_of_ours_is_exported():
    block = SkeletonBlock(3, 4, kernel_size=3).double()
    program = torch.export.export(block, (values(4, 2, 6, 3), EDGES))
    assert not [node for node in program.graph.nodes if "tgst.relu" in str(node.target)]


def test_its_operator():
    options = ("test_schema", "test_faketensor", "test_autograd_registration")
    options += ("test_aot_dispatch_static",)
    x = values(5, 3).requires_grad_()
    torch.library.opcheck(torch.ops.tgst.relu.default, (x,), test_utils=options)
    torch.autograd.gradcheck(torch.ops.tgst.relu, x)


def test_without_gradients_the_compiler_may_fuse_it():
    seen = []

    def keep(graph, _):
        seen.append({str(node.target) for node in graph.graph.nodes})
        return graph.forward

    run = torch.compile(relu, backend=keep, fullgraph=True)
    run(values(3).requires_grad_())
    with torch.no_grad():
        run(values(3).requires_grad_())
    of_its_own = [any("tgst.relu" in target for target in targets) for targets in seen]
    assert of_its_own == [True, False]


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (lambda: SkeletonBlock(3, 4, kernel_size=3), (4, 2, 6, 3)),
        (lambda: TrafficBlock(3, (4, 4, 5), PartitionConv(4, 4), gates=(None, None)), (4, 2, 8, 3)),
    ],
)
def test_no_mask_of_bits_is_kept(block, shape):
    kept = kept_for_backward(block().double(), values(*shape).requires_grad_(), EDGES)
    assert torch.float64 in kept
    assert torch.bool not in kept
