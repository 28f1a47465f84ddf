"""Contract tests for extension points: inherit one, name the extension, and pytest holds it to the contract.

Also small files in the formats of published datasets, to try pipelines on.
"""

from hnas.testing.datasets import write_clip_vocabulary
from hnas.testing.datasets import write_memes_like
from hnas.testing.datasets import write_mmimdb_folders
from hnas.testing.datasets import write_mmimdb_like
from hnas.testing.fusion import FusionSpaceContract
from hnas.testing.fusion import PrimitiveContract
from hnas.testing.spaces import SpaceContract

__all__ = [
    "FusionSpaceContract",
    "PrimitiveContract",
    "SpaceContract",
    "write_clip_vocabulary",
    "write_memes_like",
    "write_mmimdb_folders",
    "write_mmimdb_like",
]
