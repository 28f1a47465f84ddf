"""What a network costs on a device: layers, cost tables, measuring, meters."""

from __future__ import annotations

from hnas.costs.additivity import additivity
from hnas.costs.devices import check_device_name
from hnas.costs.devices import device_folder
from hnas.costs.devices import HOST
from hnas.costs.devices import host_fingerprint
from hnas.costs.devices import host_runtime
from hnas.costs.devices import host_table_path
from hnas.costs.devices import known_devices
from hnas.costs.devices import locate_table
from hnas.costs.harmonic import import_notes
from hnas.costs.harmonic import read_harmonic
from hnas.costs.layer import BuiltLayer
from hnas.costs.layer import Layer
from hnas.costs.layer import layer_builders
from hnas.costs.layer import LayerBuilder
from hnas.costs.listing import list_tables
from hnas.costs.listing import TableLine
from hnas.costs.measure import measure
from hnas.costs.measure import measure_all
from hnas.costs.measure import Measurement
from hnas.costs.measure import ProfileSettings
from hnas.costs.meters import find_meter
from hnas.costs.meters import Meter
from hnas.costs.meters import meters
from hnas.costs.meters import RaplMeter
from hnas.costs.meters import why_no_meter
from hnas.costs.meters import Window
from hnas.costs.price import Charge
from hnas.costs.price import MissingLayersError
from hnas.costs.price import Price
from hnas.costs.price import price
from hnas.costs.price import PriceLine
from hnas.costs.profiling import extend
from hnas.costs.profiling import host_table
from hnas.costs.profiling import profile
from hnas.costs.storing import Existing
from hnas.costs.storing import locked_table
from hnas.costs.storing import refuse_table
from hnas.costs.storing import store_imported
from hnas.costs.storing import table_path
from hnas.costs.table import Accounting
from hnas.costs.table import CostTable
from hnas.costs.table import LayerCost
from hnas.costs.table import Provenance

__all__ = [
    "HOST",
    "Accounting",
    "BuiltLayer",
    "Charge",
    "CostTable",
    "Existing",
    "Layer",
    "LayerBuilder",
    "LayerCost",
    "Measurement",
    "Meter",
    "MissingLayersError",
    "Price",
    "PriceLine",
    "ProfileSettings",
    "Provenance",
    "RaplMeter",
    "TableLine",
    "Window",
    "additivity",
    "check_device_name",
    "device_folder",
    "extend",
    "find_meter",
    "host_fingerprint",
    "host_runtime",
    "host_table",
    "host_table_path",
    "import_notes",
    "known_devices",
    "layer_builders",
    "list_tables",
    "locate_table",
    "locked_table",
    "measure",
    "measure_all",
    "meters",
    "price",
    "profile",
    "read_harmonic",
    "refuse_table",
    "store_imported",
    "table_path",
    "why_no_meter",
]
