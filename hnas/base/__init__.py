"""What every room stands on: errors, progress, interrupts, registries, files and seeds."""

from hnas.base.errors import CostError
from hnas.base.errors import DataError
from hnas.base.errors import ExportError
from hnas.base.errors import HnasError
from hnas.base.errors import MissingExtraError
from hnas.base.errors import require_extra
from hnas.base.errors import SettingsError
from hnas.base.errors import SpaceError
from hnas.base.errors import StorageError
from hnas.base.errors import StudyError
from hnas.base.files import atomic_path
from hnas.base.files import cache_folder
from hnas.base.files import file_sha256
from hnas.base.files import locked
from hnas.base.files import read_json
from hnas.base.files import refuse_existing
from hnas.base.files import text_sha256
from hnas.base.files import umask
from hnas.base.files import writable_folder
from hnas.base.files import write_json
from hnas.base.files import write_text
from hnas.base.interrupts import hear_interrupts
from hnas.base.interrupts import interrupts_deferred
from hnas.base.interrupts import interrupts_ignored
from hnas.base.interrupts import terminate_as_interrupt
from hnas.base.progress import Progress
from hnas.base.progress import Stage
from hnas.base.registry import Registry
from hnas.base.seeds import derive_seed
from hnas.base.seeds import seeded

__all__ = [
    "CostError",
    "DataError",
    "ExportError",
    "HnasError",
    "MissingExtraError",
    "Progress",
    "Registry",
    "SettingsError",
    "SpaceError",
    "Stage",
    "StorageError",
    "StudyError",
    "atomic_path",
    "cache_folder",
    "derive_seed",
    "file_sha256",
    "hear_interrupts",
    "interrupts_deferred",
    "interrupts_ignored",
    "locked",
    "read_json",
    "refuse_existing",
    "require_extra",
    "seeded",
    "terminate_as_interrupt",
    "text_sha256",
    "umask",
    "writable_folder",
    "write_json",
    "write_text",
]
