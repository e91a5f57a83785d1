r"""Training, testing and using models of forecasting, recognition, grids and images: Lightning
tasks, data modules, command line.

The names are loaded when they are first used, so that the command line answers at once and
``tgst.train`` can be imported without Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "AtomicCheckpointIO": "checkpoint",
    "ClassificationCLI": "classification_cli",
    "ClassificationTask": "classification_task",
    "ForecastCLI": "forecast_cli",
    "ForecastData": "data_module",
    "ForecastTask": "task",
    "ForecastWriter": "forecast_writer",
    "GridCLI": "grid_cli",
    "GridData": "grid_data",
    "GridTask": "grid_task",
    "GridWriter": "grid_writer",
    "HistoricalMean": "baselines",
    "ImageCLI": "image_cli",
    "ImageData": "image_data",
    "ImageTask": "image_task",
    "ImageWriter": "image_writer",
    "LastValue": "baselines",
    "LinearAutoregression": "baselines",
    "RandomState": "random_state",
    "RecognitionCLI": "recognition_cli",
    "RecognitionMetrics": "recognition_metrics",
    "RecognitionTask": "recognition_task",
    "RecognitionWriter": "recognition_writer",
    "RecordTransforms": "record_transforms",
    "RunCLI": "run_cli",
    "SeasonalLag": "seasonal",
    "SkeletonData": "skeleton_data",
    "SlidingWindows": "sliding_windows",
    "StaticGraph": "static_graph",
    "TrainedTask": "trained_task",
    "baseline_scores": "baselines",
    "score_table": "report",
    "write_scores": "scores",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
