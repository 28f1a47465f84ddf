"""What is learned: tasks, splits, the dataset file, one module per source."""

from hnas.datasets.avmnist import prepare_avmnist
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import normalised
from hnas.datasets.dataset import open_dataset
from hnas.datasets.describe import describe
from hnas.datasets.digits import locate_digits
from hnas.datasets.digits_sum import locate_digits_sum
from hnas.datasets.source import EmbeddedSource
from hnas.datasets.source import locate_dataset
from hnas.datasets.source import PreparedSource
from hnas.datasets.source import Source
from hnas.datasets.source import sources
from hnas.datasets.splitting import split_dataset
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.task import TaskKind
from hnas.datasets.verify import verify_dataset
from hnas.datasets.writer import write_dataset

__all__ = [
    "SPLITS",
    "Dataset",
    "EmbeddedSource",
    "Modality",
    "PreparedSource",
    "Source",
    "Task",
    "TaskKind",
    "describe",
    "locate_dataset",
    "locate_digits",
    "locate_digits_sum",
    "normalised",
    "open_dataset",
    "prepare_avmnist",
    "sources",
    "split_dataset",
    "verify_dataset",
    "write_dataset",
]
