"""Exported models in onnxruntime, for the tests."""

import pytest
import torch


def exported(module, inputs, path, **options):
    """A session on several threads, where sums into shared rows would race."""
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.onnx.export(module, inputs, path, dynamo=True, verbose=False, **options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 4
    return onnxruntime.InferenceSession(path, settings)


def operators(path):
    """The names of the operators in an exported file."""
    import onnx

    return {node.op_type for node in onnx.load(path).graph.node}


def run(session, *tensors):
    names = [node.name for node in session.get_inputs()]
    feed = {name: x.numpy() for name, x in zip(names, tensors, strict=True)}
    return torch.from_numpy(session.run(None, feed)[0])


def assert_agrees(session, inputs, expected, runs=60):
    """Every one of many runs gives what the model gives."""
    for _ in range(runs):
        torch.testing.assert_close(run(session, *inputs), expected, rtol=1e-4, atol=1e-4)
