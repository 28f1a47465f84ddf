"""Final training, formats, verification, the model folder and its card."""

from hnas.exports.bootstrap import Answers
from hnas.exports.bootstrap import Bootstrap
from hnas.exports.evaluation import evaluate
from hnas.exports.exporting import available_formats
from hnas.exports.exporting import export
from hnas.exports.exporting import Exported
from hnas.exports.exporting import Format
from hnas.exports.exporting import FORMATS
from hnas.exports.folder import load_model
from hnas.exports.intervals import mcnemar
from hnas.exports.intervals import wilson_interval
from hnas.exports.onnx_format import write_onnx
from hnas.exports.published import evaluate_published
from hnas.exports.reading import read_test
from hnas.exports.training import train_final

__all__ = [
    "FORMATS",
    "Answers",
    "Bootstrap",
    "Exported",
    "Format",
    "available_formats",
    "evaluate",
    "evaluate_published",
    "export",
    "load_model",
    "mcnemar",
    "read_test",
    "train_final",
    "wilson_interval",
    "write_onnx",
]
