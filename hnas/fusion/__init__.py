"""How modalities join: fusion spaces, primitives, relaxed search, derived networks, drawing."""

from __future__ import annotations

from hnas.fusion.api import build
from hnas.fusion.api import charges
from hnas.fusion.api import cheapest_layers
from hnas.fusion.api import dearest_layers
from hnas.fusion.api import draw
from hnas.fusion.api import random_genotype
from hnas.fusion.api import reachable_layers
from hnas.fusion.api import search_genotype
from hnas.fusion.cells import CellsSpace
from hnas.fusion.choice import hard
from hnas.fusion.choice import soft
from hnas.fusion.choice import straight_through
from hnas.fusion.cost_model import CostModel
from hnas.fusion.cost_model import LayerCosts
from hnas.fusion.genes import suggest_fusion
from hnas.fusion.genes import TrialLike
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.genotype import Node
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.late import LATE_GENOTYPE
from hnas.fusion.late import LateSpace
from hnas.fusion.macro import LATE
from hnas.fusion.macro import Macro
from hnas.fusion.network import FusionNetwork
from hnas.fusion.parts import reshape_layer
from hnas.fusion.pooling import pool_tap
from hnas.fusion.pricing import expected_cost
from hnas.fusion.pricing import ExpectedCost
from hnas.fusion.primitives import build_primitive_layer
from hnas.fusion.primitives import Primitive
from hnas.fusion.primitives import primitive_layer
from hnas.fusion.primitives import primitives
from hnas.fusion.relaxed import RelaxedFusion
from hnas.fusion.search import SearchOutcome
from hnas.fusion.search import SearchRecipe
from hnas.fusion.space import fusion_spaces
from hnas.fusion.space import FusionCharges
from hnas.fusion.space import FusionSpace
from hnas.fusion.training import predict
from hnas.fusion.training import train_fusion

__all__ = [
    "LATE",
    "LATE_GENOTYPE",
    "Cell",
    "CellsSpace",
    "CostModel",
    "ExpectedCost",
    "Features",
    "FusionCharges",
    "FusionInputs",
    "FusionNetwork",
    "FusionSpace",
    "Genotype",
    "LateSpace",
    "LayerCosts",
    "Macro",
    "Node",
    "Primitive",
    "RelaxedFusion",
    "SearchOutcome",
    "SearchRecipe",
    "TrialLike",
    "build",
    "build_primitive_layer",
    "charges",
    "cheapest_layers",
    "dearest_layers",
    "draw",
    "expected_cost",
    "fusion_spaces",
    "hard",
    "pool_tap",
    "predict",
    "primitive_layer",
    "primitives",
    "random_genotype",
    "reachable_layers",
    "reshape_layer",
    "search_genotype",
    "soft",
    "straight_through",
    "suggest_fusion",
    "train_fusion",
]
