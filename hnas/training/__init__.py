"""How networks learn: recipes, metrics, the loop, the cache of frozen features."""

from hnas.training.accelerator import accelerator
from hnas.training.accelerator import cpu_threads
from hnas.training.augmentation import Augmentation
from hnas.training.cache import BoundedCache
from hnas.training.disk_cache import DiskCache
from hnas.training.loop import Accumulate
from hnas.training.loop import Trainer
from hnas.training.metrics import answers
from hnas.training.metrics import check_logits
from hnas.training.metrics import correct
from hnas.training.metrics import F1_METRICS
from hnas.training.metrics import fit_threshold
from hnas.training.metrics import log_loss
from hnas.training.metrics import log_probabilities
from hnas.training.metrics import Metric
from hnas.training.metrics import metrics
from hnas.training.metrics import task_loss
from hnas.training.metrics import wrong_decisions
from hnas.training.recipe import Recipe

__all__ = [
    "F1_METRICS",
    "Accumulate",
    "Augmentation",
    "BoundedCache",
    "DiskCache",
    "Metric",
    "Recipe",
    "Trainer",
    "accelerator",
    "answers",
    "check_logits",
    "correct",
    "cpu_threads",
    "fit_threshold",
    "log_loss",
    "log_probabilities",
    "metrics",
    "task_loss",
    "wrong_decisions",
]
