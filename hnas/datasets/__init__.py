"""What is learned: tasks, splits, the dataset file, one module per source."""

from hnas.datasets.avmnist import prepare_avmnist
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import normalised
from hnas.datasets.dataset import open_dataset
from hnas.datasets.describe import describe
from hnas.datasets.describe import summarise
from hnas.datasets.digits import locate_digits
from hnas.datasets.digits_sum import locate_digits_sum
from hnas.datasets.lazy import LazyArray
from hnas.datasets.memes import prepare_memes
from hnas.datasets.mmimdb import prepare_mmimdb
from hnas.datasets.samples import Batch
from hnas.datasets.samples import HeldSamples
from hnas.datasets.samples import in_order
from hnas.datasets.samples import open_samples
from hnas.datasets.samples import Samples
from hnas.datasets.samples import StreamedSamples
from hnas.datasets.source import EmbeddedSource
from hnas.datasets.source import locate_dataset
from hnas.datasets.source import PreparedSource
from hnas.datasets.source import Source
from hnas.datasets.source import sources
from hnas.datasets.splitting import split_dataset
from hnas.datasets.streaming import stream_dataset
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.task import TaskKind
from hnas.datasets.verify import verify_dataset
from hnas.datasets.writer import write_dataset

__all__ = [
    "SPLITS",
    "Batch",
    "Dataset",
    "EmbeddedSource",
    "HeldSamples",
    "LazyArray",
    "Modality",
    "PreparedSource",
    "Samples",
    "Source",
    "StreamedSamples",
    "Task",
    "TaskKind",
    "describe",
    "in_order",
    "locate_dataset",
    "locate_digits",
    "locate_digits_sum",
    "normalised",
    "open_dataset",
    "open_samples",
    "prepare_avmnist",
    "prepare_memes",
    "prepare_mmimdb",
    "sources",
    "split_dataset",
    "stream_dataset",
    "summarise",
    "verify_dataset",
    "write_dataset",
]
