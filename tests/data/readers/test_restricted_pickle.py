from __future__ import annotations

import os
import pickle
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tgst.data import read_pickle

DATA = {
    "half": np.arange(24, dtype=np.float16).reshape(1, 2, 4, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other order": np.arange(3, dtype=">i4"),
    "steps": np.arange(10)[::2],
    "empty": np.zeros((0, 3)),
    "one": np.array(3.0),
    "text": np.array(["ab", "c"]),
    "truth": np.array([True, False]),
    "scalar": np.int64(7),
    "real": np.float32(2.5),
    "name": np.str_("abc"),
    "nested": [(1, 2.5, None, [np.ones(2)]), {"a": {"b": (np.zeros(1), "x")}}],
    "ordered": OrderedDict(b=1, a=np.ones(1)),
    "sets": [{1, 2}, frozenset("a"), b"raw", bytearray(b"raw"), True, 1 + 2j],
}


def write(folder: Path, content: bytes) -> Path:
    path = folder / "x.pkl"
    path.write_bytes(content)
    return path


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data(tmp_path: Path, protocol: int) -> None:
    assert same(read_pickle(write(tmp_path, pickle.dumps(DATA, protocol))), DATA)


@pytest.mark.parametrize("home", ["core", "_core"])
def test_both_names_of_numpy(tmp_path: Path, home: str) -> None:
    array = np.arange(3.0)
    for protocol in (2, 5):
        content = pickle.dumps(array, protocol).replace(b"numpy._core", b"numpy.core")
        parts = content.split(b"numpy.core")
        assert len(parts) == 2
        new = f"numpy.{home}".encode()
        if protocol == 5:  # a length stands in front of the name, and one of the whole
            ending = b".numeric"
            parts[0] = parts[0][:-1] + bytes([len(new) + len(ending)])
            frame = parts[0].index(b"\x95")
            parts[0] = parts[0][:frame] + parts[0][frame + 9 :]
        assert np.array_equal(read_pickle(write(tmp_path, new.join(parts))), array)


def test_python_2(tmp_path: Path) -> None:
    # protocol 2 of Python 2.7: (["a"], numpy.array([1, 2], dtype="int16"))
    content = (
        b"\x80\x02]q\x00U\x01aq\x01acnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
        b"q\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02"
        b"i2q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
        b"tq\x0eb\x89U\x04\x01\x00\x02\x00q\x0ftq\x10b\x86q\x11."
    )
    names, values = read_pickle(write(tmp_path, content))
    assert names == ["a"]
    assert same(values, np.array([1, 2], "<i2"))


def test_shared_entries(tmp_path: Path) -> None:
    array = np.ones(2)
    shared = [array, (array,)]
    found = read_pickle(write(tmp_path, pickle.dumps([shared, shared, array])))
    assert found[0] is found[1]
    assert found[0][0] is found[2] is found[0][1][0]
    bomb: list = []
    for _ in range(60):  # 2^60 entries, if each was looked at
        bomb = [bomb, bomb, (array, array)]
    found = read_pickle(write(tmp_path, pickle.dumps(bomb)))
    assert same(found[2], (array, array))


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


class Plain:
    pass


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_side_effects(tmp_path: Path, protocol: int) -> None:
    proof = tmp_path / "proof"
    for call in (
        Call(os.system, f"touch {proof}"),
        Call(eval, f"open({str(proof)!r}, 'w')"),
        Call(exec, f"open({str(proof)!r}, 'w')"),
        Call(open, str(proof), "w"),
        Call(np.save, str(proof), 1),
        Call(getattr, np, "array"),
        Call(__import__, "os"),
    ):
        if call.call[0] is getattr:
            call = Call(getattr, "text", "upper")
        content = pickle.dumps({"annotations": [call]}, protocol)
        with pytest.raises(ValueError, match=r"x\.pkl: .*with: .*, which is not plain data"):
            read_pickle(write(tmp_path, content))
        assert not proof.exists()
    pickle.loads(pickle.dumps(Call(open, str(proof), "w"))).close()
    assert proof.exists()  # the pickles do what they are meant to


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Plain(), "test_restricted_pickle.Plain, which is not plain data"),
        (Counter("ab"), r"collections\.Counter, which is not plain data"),
        (Plain, "Plain, which is not plain data"),
        (np.array([1, "a"], object), "an array of 'O8', expected numbers or text"),
        (np.zeros(2, [("a", "f4")]), "an array of 'V4', expected numbers or text"),
        (np.zeros(2, "M8[s]"), "an array of 'M8', expected numbers or text"),
        (np.ma.masked_array([1], [True]), "which is not plain data"),
        (np.float64, r"numpy\.float64, which is not plain data"),
    ],
)
def test_objects(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"x\.pkl: expected a pickle of plain data, .*{message}"):
        read_pickle(write(tmp_path, pickle.dumps([value])))


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
FUNCTIONS = (
    b"cnumpy.core.multiarray\n_reconstruct\n",
    b"cnumpy.core.multiarray\nscalar\n",
    b"cnumpy._core.numeric\n_frombuffer\n",
    b"cnumpy\ndtype\n",
    b"c_codecs\nencode\n",
    b"c__builtin__\nbytes\n",
    b"c__builtin__\nbytearray\n",
    b"c__builtin__\nset\n",
    b"ccollections\nOrderedDict\n",
    b"cnumpy\nndarray\n",
)
DTYPE = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy.core.multiarray\nfromfile\n(S'/etc/hostname'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"cnumpy.core\nmultiarray\n.",
        b"ccopyreg\n_reconstructor\n.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"cnumpy\nndarray\n(tR.",  # nothing that could be called
        b"Pid\n.",
        b"cnumpy.core.multiarray\n_reconstruct\n(S'x'\n(I0\ntS'b'\ntR.",
        ARRAY + b".",  # never filled
        ARRAY + b"(I1\n(I2\nt" + DTYPE + b"I00\nS'1234'\ntb.",  # 4 of 16 bytes
        ARRAY + b"(I1\n(I-1\nt" + DTYPE + b"I00\nS'12345678'\ntb.",
        ARRAY + b"(I1\n(I1\ntS'f8'\nI00\nS'12345678'\ntb.",
        ARRAY + b"(I1\n(I1\nt" + DTYPE + b"I00\n(ltb.",
        DTYPE + b"(I3\nS'<'\nN(S'a'\ntNI8\nI8\nI0\ntb.",
        b"\x80\x02]q\x00" + b"]" * 200_000 + b"a" * 200_000 + b".",  # nested too deeply
        b"",
        b"\x80\x7f.",
        b"hello",
        b"\x80\x04\x97.",  # a buffer from outside
    ],
)
def test_broken_and_forged(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"x\.pkl: expected a pickle of plain data, got one with:"):
        read_pickle(write(tmp_path, content))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    for protocol in (0, 2, 5):
        content = pickle.dumps(DATA, protocol)
        for length in range(0, len(content) - 1, 31):
            with pytest.raises(ValueError, match=r"x\.pkl: expected a pickle of plain data"):
                read_pickle(write(tmp_path, content[:length]))


def test_a_file_cannot_change_how_the_next_one_is_read(tmp_path: Path) -> None:
    # Sets an attribute of what stands for NumPy's function, by the state of an object.
    for state in (
        b"(N(S'__func__'\nNdt",
        b"(N(S'_call'\nNdt",
        b"(S'__setstate__'\nc__builtin__\nset\nd",
    ):
        for function in FUNCTIONS:
            # Thrown away again: what comes out would be refused for what it is.
            with pytest.raises(ValueError, match=r"x\.pkl.*(attribute|item assignment)"):
                read_pickle(write(tmp_path, b"(" + function + state + b"b0l."))
    assert same(read_pickle(write(tmp_path, pickle.dumps(DATA))), DATA)


def test_nothing_but_data_comes_out(tmp_path: Path) -> None:
    for function in FUNCTIONS[:-1]:
        for content in (function, b"(" + function + b"l", b"(S'a'\n" + function + b"d"):
            with pytest.raises(ValueError, match=r"with: (_Function|type) in the place of plain"):
                read_pickle(write(tmp_path, content + b"."))
    for content in (
        b"c__builtin__\nset\n((" + FUNCTIONS[0] + b"ltR.",
        b"(" + FUNCTIONS[0] + b"S'a'\nd.",
        DTYPE + b".",
    ):
        with pytest.raises(ValueError, match=r"_(Function|PlainDtype) in the place of plain data"):
            read_pickle(write(tmp_path, content))
    # The state of a container could hide its methods: content.get("annotations") would be called.
    forged = b"ccollections\nOrderedDict\n(tR(S'get'\nI1\ndb."
    with pytest.raises(ValueError, match="OrderedDict in the place of plain data"):
        read_pickle(write(tmp_path, forged))


@pytest.mark.parametrize("name", ["bytes", "bytearray"])
def test_a_number_makes_no_bytes(tmp_path: Path, name: str) -> None:
    # 24 bytes of a file would take as much memory as they say.
    with pytest.raises(ValueError, match=r"with: .*(takes 1 positional|not made of bytes)"):
        read_pickle(write(tmp_path, f"c__builtin__\n{name}\n(I1000000000\ntR.".encode()))


def test_letters_that_there_are_not(tmp_path: Path) -> None:
    letter = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'U1'\nI0\nI1\ntRS'%s'\ntR."
    assert read_pickle(write(tmp_path, letter % rb"a\x00\x00\x00")) == "a"
    with pytest.raises(ValueError, match="text of letters that there are not"):
        read_pickle(write(tmp_path, letter % rb"\xff\xff\xff\xff"))


def test_error_without_words(tmp_path: Path) -> None:
    class Mute(dict):
        def __reduce__(self) -> tuple:
            return frozenset, ([[]],)

    with pytest.raises(ValueError, match="got one with: unhashable type: 'list'; is it cut off"):
        read_pickle(write(tmp_path, pickle.dumps(Mute())))
    content = pickle.PROTO + b"\x05" + pickle.BYTEARRAY8 + b"\xff" * 7 + b"\x70"  # more than memory
    with pytest.raises(ValueError, match=r"got one with: \w+.*; is it cut off"):
        read_pickle(write(tmp_path, content))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pkl: expected a file, found none"):
        read_pickle(tmp_path / "none.pkl")
