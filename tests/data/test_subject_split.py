import pytest

from tgst.data.subject_split import split_subjects

TRAIN, EVERYONE = (1, 3, 5), range(1, 7)


@pytest.mark.parametrize(
    ("split", "validation", "subjects"),
    [
        ("train", (), {1, 3, 5}),
        ("test", (), {2, 4, 6}),
        (None, (), {1, 2, 3, 4, 5, 6}),
        ("train", (3,), {1, 5}),
        ("val", (3, 1), {1, 3}),
        ("test", (3,), {2, 4, 6}),
        (None, (3,), {1, 2, 3, 4, 5, 6}),
    ],
)
def test_parts(split, validation, subjects):
    assert split_subjects(split, TRAIN, EVERYONE, validation) == subjects


def test_subjects_of_ones_own():
    assert split_subjects("test", TRAIN, EVERYONE, subjects=[3, 4]) == {3, 4}
    assert split_subjects("val", TRAIN, EVERYONE, subjects=[2]) == {2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"split": "valid"},
            r"split: expected one of \('train', 'val', 'test', None\), got 'valid'",
        ),
        ({"split": "val"}, r"validation_subjects: expected some of the .*\[1, 3, 5\] .*got none"),
        ({"validation": [2, 3]}, r"validation_subjects: expected some of \[1, 3, 5\], got \[2\]"),
        ({"validation": TRAIN}, "validation_subjects: expected to leave some to train on"),
        ({"subjects": [0]}, r"subjects: expected some of \[1, 2, 3, 4, 5, 6\], got \[0\]"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_subjects(**{"split": "train", "train": TRAIN, "everyone": EVERYONE, **arguments})
