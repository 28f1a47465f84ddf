"""Published look-up tables: read to the letter, merged, refused where they are broken or contradict each other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hnas.base import CostError
from hnas.base import HnasError
from hnas.costs import CostTable
from hnas.costs import device_folder
from hnas.costs import import_notes
from hnas.costs import LayerCost
from hnas.costs import list_tables
from hnas.costs import locate_table
from hnas.costs import read_harmonic
from hnas.costs import store_imported

CONV = "ConvLayer-input:1_1_28_28-in_ch:1-out_ch:16-kernel:3-stride:2-use_se:0-use_bn:1"
BLOCK = "MBConvLayer-input:1_16_14_14-in_ch:16-out_ch:16-mid_ch:0-expand:1-kernel:3-stride:1-use_se:0"
LINEAR = "LinearLayer-input:80-in_ch:80-out_ch:10"
SUM = "Sum-input:1_192_16-N:1-C:192-L:16"

BACKBONE = {
    CONV: {"lat": "0.48573214721679686", "enrg": "0.7629752292633056"},
    BLOCK: {"lat": "0.57", "enrg": "8e-1"},
}
FUSION = {SUM: {"lat": 0.05961958312988281, "enrg": 0.2972280216217041}}


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "lut_ofa.json", BACKBONE), write(tmp_path / "lut_fusion.json", FUSION)]


def test_text_and_numbers_are_read_in_ms_and_mj(files: list[Path]) -> None:
    table = read_harmonic(files, "tx2")
    assert (table.device, table.provenance, table.accounting, table.batch) == ("tx2", "imported", "published", 1)
    assert table.layers[CONV] == LayerCost(0.48573214721679686, 0.7629752292633056, provenance="imported")
    assert table.layers[BLOCK].energy_mj == 0.8
    assert table.layers[SUM].latency_ms == 0.05961958312988281
    assert "Harmonic-NAS" in table.runtime["name"]


def test_the_table_is_found_by_name_and_survives_a_round_trip(files: list[Path]) -> None:
    path, table = store_imported(read_harmonic(files, "tx2"))
    assert locate_table("tx2") == path == device_folder() / "tx2.json"
    assert CostTable.load(path) == table
    (line,) = list_tables()
    assert (line.device, line.layers, line.energy, line.provenance) == ("tx2", 3, True, "imported")


def test_a_layer_may_be_in_several_files_at_one_cost_only(files: list[Path], tmp_path: Path) -> None:
    same = write(tmp_path / "same.json", {CONV: BACKBONE[CONV], LINEAR: {"lat": 0.1, "enrg": 0}})
    assert len(read_harmonic([*files, same], "tx2").layers) == 4
    other = write(tmp_path / "other.json", {CONV: {"lat": "0.5", "enrg": "0.7"}})
    with pytest.raises(CostError) as caught:
        read_harmonic([*files, other], "tx2")
    for words in (CONV, str(files[0]), str(other), "0.48573214721679686 ms", "0.5 ms", "0.7 mJ"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"Conv": {"lat": 1, "enrg": 1}}, "'Conv'"),
        ({"ConvLayer-input:1_1_28_28-in_ch:1": {"lat": 1, "enrg": 1}}, "in_ch, out_ch, kernel"),
        ({SUM.replace("1_192", "2_192"): {"lat": 1, "enrg": 1}}, "batch 1"),
        ({SUM.replace("N:1", "N:x"): {"lat": 1, "enrg": 1}}, "'N' must be a whole number"),
        ({LINEAR: {"lat": 1}}, "'lat' and 'enrg'"),
        ({LINEAR: {"lat": 1, "enrg": 1, "power": 1}}, "'lat' and 'enrg'"),
        ({LINEAR: 3}, LINEAR),
        ({LINEAR: {"lat": "fast", "enrg": 1}}, "'lat' must be a number, not 'fast'"),
        ({LINEAR: {"lat": "1_0", "enrg": 1}}, "'lat' must be a number"),
        ({LINEAR: {"lat": True, "enrg": 1}}, "'lat' must be a number"),
        ({LINEAR: {"lat": "inf", "enrg": 1}}, "'lat' must be a number"),
        ({LINEAR: {"lat": "1e999", "enrg": 1}}, "'lat' must be a number"),
        ({LINEAR: {"lat": 1, "enrg": None}}, "'enrg' must be a number"),
        ({LINEAR: {"lat": 1, "enrg": float("nan")}}, "'enrg' must be a number"),
        ({LINEAR: {"lat": 0, "enrg": 1}}, "impossible"),
        ({LINEAR: {"lat": 1, "enrg": -1}}, "impossible"),
        (f'{{"{LINEAR}": {{"lat": 1, "enrg": 1}}, "{LINEAR}": {{"lat": 2, "enrg": 1}}}}', "is there twice"),
        ("{", "as JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "expected a JSON object"),
    ],
)
def test_what_is_broken_is_refused_with_file_and_key(tmp_path: Path, document: Any, says: str) -> None:
    path = write(tmp_path / "broken.json", document)
    with pytest.raises(CostError) as caught:
        read_harmonic([path], "tx2")
    assert says in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("device", ["a b", "", "../x", "host", "tx2.json"])
def test_a_device_needs_a_name_of_its_own(files: list[Path], device: str) -> None:
    with pytest.raises(CostError, match="device"):
        read_harmonic(files, device)


def test_a_table_that_is_there_is_merged_or_replaced_only_when_asked(files: list[Path]) -> None:
    path, first = store_imported(read_harmonic(files[:1], "tx2"))
    assert store_imported(read_harmonic(files[:1], "tx2")) == (path, first)  # the same again changes nothing
    second = read_harmonic(files[1:], "tx2")
    with pytest.raises(CostError, match=r"--merge.*--replace"):
        store_imported(second)
    assert CostTable.load(path) == first
    _, merged = store_imported(second, existing="merge")
    assert set(CostTable.load(path).layers) == set(merged.layers) == {CONV, BLOCK, SUM}
    store_imported(second, existing="replace")
    assert set(CostTable.load(path).layers) == {SUM}


def test_a_file_of_the_users_own_gets_no_company_and_is_not_lost(files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    table = read_harmonic(files, "tx2")
    assert store_imported(table, folder / "table.json")[0] == folder / "table.json"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(HnasError, match=r"notes\.txt' is there already.*--replace"):
        store_imported(table, folder / "notes.txt")
    with pytest.raises(CostError, match=r"notes\.txt"):
        store_imported(table, folder / "notes.txt", existing="merge")
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "table.json"]


def test_a_merge_refuses_contradictions_and_tables_of_another_origin(files: list[Path], tmp_path: Path) -> None:
    path, first = store_imported(read_harmonic(files, "tx2"))
    other = write(tmp_path / "other.json", {CONV: {"lat": 1, "enrg": 1}})
    with pytest.raises(CostError, match=r"1\.0 ms"):
        store_imported(read_harmonic([other], "tx2"), existing="merge")
    assert CostTable.load(path) == first
    CostTable("tx2", {LINEAR: LayerCost(1.0, 1.0)}).save(path)
    with pytest.raises(CostError, match="different origins"):
        store_imported(first, existing="merge")


def test_an_import_says_what_it_does_not_price(files: list[Path]) -> None:
    text = "\n".join(import_notes(read_harmonic(files, "tx2")))
    for words in ("reshape layers", "cell outputs", "head", "text networks"):
        assert words in text
    assert "lut_fusion" in "\n".join(import_notes(read_harmonic(files[:1], "tx2")))
    assert "lut_ofa" in "\n".join(import_notes(read_harmonic(files[1:], "tx2")))


@pytest.mark.skipif("HNAS_SHARED" not in os.environ, reason="needs the published tables in $HNAS_SHARED/luts")
@pytest.mark.parametrize(("device", "layers"), [("tx2", 205), ("agx", 206)])
def test_the_published_tables_are_whole(device: str, layers: int) -> None:
    # 44 + 59 + 95 layers of backbones (AGX: 96) and 7 operators, of which none is shared between files.
    table = read_harmonic(sorted(Path(os.environ["HNAS_SHARED"], "luts").glob(f"*_{device}.json")), device)
    assert len(table.layers) == layers and table.has_energy
    assert any("1000" in note for note in import_notes(table))
    assert any("not measured on TX2" in note for note in import_notes(table)) == (device == "tx2")
