import json

from benchmarks.skeleton_reader import main


def test_both_readings_agree_and_are_written(tmp_path):
    main(["--rounds", "1", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "skeleton_reader.json").read_text())
    times = record["milliseconds"]["2"]
    assert set(times) == {"read_ntu_skeleton", "loop"}
    ratio = f"| {times['loop'] / times['read_ntu_skeleton']:.1f} |"
    lines = (tmp_path / "skeleton_reader.md").read_text().splitlines()
    assert any(line.startswith("| 2 |") and line.endswith(ratio) for line in lines)
