from __future__ import annotations

import pytest

import tgst.train


def test_every_public_name_is_there():
    assert [name for name in tgst.train.__all__ if getattr(tgst.train, name).__name__ != name] == []
    assert set(tgst.train.__all__) <= set(dir(tgst.train))


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match=r"module 'tgst.train' has no attribute 'Forecaster'"):
        tgst.train.Forecaster  # noqa: B018
