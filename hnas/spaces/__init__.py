"""What can be chosen: backbone spaces, their supernets, the training and keeping of shared weights."""

from hnas.spaces.architecture import Architecture
from hnas.spaces.architecture import TrialLike
from hnas.spaces.backbone import Backbone
from hnas.spaces.backbone import channels_last
from hnas.spaces.importing import import_supernet
from hnas.spaces.importing import imported_missing
from hnas.spaces.importing import ImportedPart
from hnas.spaces.importing import ImportReport
from hnas.spaces.importing import Skipped
from hnas.spaces.layouts import layouts
from hnas.spaces.maxout import MAXOUT_VARIANTS
from hnas.spaces.maxout import MaxoutBackbone
from hnas.spaces.maxout import MaxoutSpace
from hnas.spaces.maxout import MaxoutSupernet
from hnas.spaces.maxout import MaxoutVariant
from hnas.spaces.ofa_mobilenet_v3 import default_supernet_recipe
from hnas.spaces.ofa_mobilenet_v3 import OfaBackbone
from hnas.spaces.ofa_mobilenet_v3 import OfaMobileNetV3
from hnas.spaces.ofa_mobilenet_v3 import OfaSupernet
from hnas.spaces.ofa_mobilenet_v3 import StageRow
from hnas.spaces.ofa_mobilenet_v3 import Variant
from hnas.spaces.ofa_mobilenet_v3 import VARIANTS
from hnas.spaces.recalibration import recalibrate
from hnas.spaces.sandwich import discard_checkpoint
from hnas.spaces.sandwich import distillation_loss
from hnas.spaces.sandwich import train_supernet
from hnas.spaces.space import BackboneLayers
from hnas.spaces.space import Space
from hnas.spaces.space import space_for
from hnas.spaces.space import SpaceFactory
from hnas.spaces.space import spaces
from hnas.spaces.space import taps_by_offset
from hnas.spaces.supernet import Supernet
from hnas.spaces.weights import load_supernet
from hnas.spaces.weights import save_supernet
from hnas.spaces.weights import supernet_metadata

__all__ = [
    "MAXOUT_VARIANTS",
    "VARIANTS",
    "Architecture",
    "Backbone",
    "BackboneLayers",
    "ImportReport",
    "ImportedPart",
    "MaxoutBackbone",
    "MaxoutSpace",
    "MaxoutSupernet",
    "MaxoutVariant",
    "OfaBackbone",
    "OfaMobileNetV3",
    "OfaSupernet",
    "Skipped",
    "Space",
    "SpaceFactory",
    "StageRow",
    "Supernet",
    "TrialLike",
    "Variant",
    "channels_last",
    "default_supernet_recipe",
    "discard_checkpoint",
    "distillation_loss",
    "import_supernet",
    "imported_missing",
    "layouts",
    "load_supernet",
    "recalibrate",
    "save_supernet",
    "space_for",
    "spaces",
    "supernet_metadata",
    "taps_by_offset",
    "train_supernet",
]
