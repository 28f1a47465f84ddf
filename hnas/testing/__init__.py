"""Contract tests for extension points: inherit one, name the extension, and pytest holds it to the contract."""

from hnas.testing.fusion import FusionSpaceContract
from hnas.testing.fusion import PrimitiveContract
from hnas.testing.spaces import SpaceContract

__all__ = ["FusionSpaceContract", "PrimitiveContract", "SpaceContract"]
