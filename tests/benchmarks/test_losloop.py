from __future__ import annotations

from benchmarks.losloop import markdown
from tests.benchmarks.test_seeds import result

ABOUT = {
    "hardware": "two cores",
    "threads": 2,
    "versions": {"torch": "2.0"},
    "date": "2024-01-01",
    "command": "python -m benchmarks.losloop",
}


def test_markdown_has_a_row_per_model():
    text = markdown(ABOUT, [result(0, 0.0), result(1, 2.0)])
    model = "4.00 ± 1.41 / 7.00 ± 1.41 / 13.00 ± 1.41"
    assert f"| model | {model} | {model} | {model} |" in text.splitlines()
    constant = "9.00 / 9.00 / 9.00"
    assert f"| last value | {constant} | {constant} | {constant} |" in text.splitlines()
    assert "2 seeds (0, 1). two cores, 2 thread(s); torch 2.0; 2024-01-01" in text
    assert "Minutes per fit: 1.2, 1.2." in text
    assert text.endswith("|\n")
