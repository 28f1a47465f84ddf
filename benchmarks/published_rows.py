"""Do the published look-up tables add up to the published figures? The nine rows of Harmonic-NAS, one by one.

For every row: the published latency and energy, what its backbones cost, what that leaves for the fusion, and which
multiset of operators explains it best. A multiset matches where latency and energy, both cut off after two decimals as
published, are equal. All multisets of the six operators that Harmonic-NAS searched are tried.

    python benchmarks/published_rows.py LUT_DIR     # folder with lut_ofa_*_tx2.json and lut_fusion_tx2.json
    python benchmarks/published_rows.py tx2         # a device imported with: hnas lut import harmonic
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hnas.costs import CostTable
from hnas.costs import locate_table
from hnas.costs import read_harmonic
from hnas.studies import explain
from hnas.studies import Explanation
from hnas.studies import published_models
from hnas.studies import PublishedModel

COLUMNS = (
    "row",
    "size",
    "published",
    "backbones",
    "left for fusion",
    "best operators",
    "sum",
    "equal: both, ms, of",
    "verdict",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", help="folder of the published tables, or the device that they were imported as")
    arguments = parser.parse_args()
    table = read_tables(arguments.tables)
    found = [(model, explain(model, table)) for model in published_models()]
    lines = [COLUMNS, *(row(model, explanation) for model, explanation in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"Published rows and the {len(table.layers)} layers of {table.device}; pairs are ms / mJ\n")
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    print()
    for model, explanation in found:
        if reason := why_not(model, explanation, table):
            print(f"{model.name}: {reason}")


def read_tables(place: str) -> CostTable:
    """Returns the cost table of a device, or of the published files in a folder."""
    if Path(place).is_dir():
        return read_harmonic(sorted(Path(place).glob("lut_*_tx2.json")), "tx2")
    return CostTable.load(locate_table(place))


def row(model: PublishedModel, found: Explanation) -> tuple[str, ...]:
    """Returns one line of the table."""
    operators = ", ".join(f"{count} {op}" for op, count in found.operators.items())
    left = (model.latency_ms - found.backbones_ms, model.energy_mj - found.backbones_mj)
    return (
        model.name,
        f"{model.cells}x{model.nodes}",
        f"{model.latency_ms:.2f} / {model.energy_mj:.2f}",
        f"{found.backbones_ms:.4f} / {found.backbones_mj:.4f}",
        f"{left[0]:+.4f} / {left[1]:+.4f}",
        operators,
        f"{found.latency_ms:.4f} / {found.energy_mj:.4f}",
        f"{found.equal}, {found.latency_equal}, {found.multisets}",
        verdict(model, found),
    )


def verdict(model: PublishedModel, found: Explanation) -> str:
    """Returns how well the best operators explain a row."""
    if found.equal:
        return "exact, unique" if found.equal == 1 else f"exact, {found.equal} ways"
    deviations = (found.latency_ms / model.latency_ms - 1, found.energy_mj / model.energy_mj - 1)
    exact = "latency exact, " if found.latency_equal else ""
    return f"{exact}nearest {deviations[0]:+.2%} / {deviations[1]:+.2%}"


def why_not(model: PublishedModel, found: Explanation, table: CostTable) -> str:
    """Returns why no operators give both figures; nothing where some do."""
    if found.equal:
        return ""
    nodes = model.cells * model.nodes
    fusion = "one operator takes" if nodes == 1 else f"{nodes} operators take"
    cheapest = min(cost.latency_ms for key, cost in table.layers.items() if "-N:1-C:192-L:16" in key)
    left_ms = model.latency_ms - found.backbones_ms
    if left_ms < nodes * cheapest:
        left_mj = model.energy_mj - found.backbones_mj
        return (
            f"not reproducible: {fusion} {nodes * cheapest:.3f} ms or more, and the published latency "
            f"leaves {left_ms:+.3f} ms beside the backbones (the energy leaves {left_mj:+.3f} mJ)"
        )
    written = ", ".join(f"{count} {op}" for op, count in model.operators.items())
    return (
        f"{found.latency_equal} of {found.multisets} multisets give the published latency, none of them the energy as "
        f"well; hnas takes {written}: {model.note}"
    )


if __name__ == "__main__":
    main()
