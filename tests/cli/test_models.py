"""The published rows: their figures come out of the published tables, and they can be named wherever a file can."""

from __future__ import annotations

import importlib.util
import json
import os
from glob import glob
from pathlib import Path
from types import ModuleType

import pytest

from hnas.costs import CostTable
from hnas.costs import LayerCost
from hnas.studies import floored
from hnas.studies import published_models
from hnas.studies import published_plan
from tests.cli.test_errors import Run
from tests.cli.test_errors import run

__all__ = ["run"]

ROOT = Path(__file__).parent.parent.parent
NAMES = [f"{task}-{number}" for task in ("avmnist", "mmimdb", "memes") for number in (1, 2, 3)]

needs_tables = pytest.mark.skipif(
    "HNAS_SHARED" not in os.environ, reason="needs the published tables in $HNAS_SHARED/luts"
)


@pytest.fixture
def tx2(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The device TX2, imported as a user does."""
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
    files = sorted(map(str, Path(os.environ["HNAS_SHARED"], "luts").glob("*_tx2.json")))
    assert run("lut", "import", "harmonic", *files, "--device", "tx2")[0] == 0
    return "tx2"


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published_rows", ROOT / "benchmarks" / "published_rows.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Published: latency in ms and energy in mJ (README of Harmonic-NAS). Equal after flooring: "b"oth, "l"atency; within
# 1.3 %: "n"ear.
GOLDEN = {
    "avmnist-1": (8.96, 13.93, "l"),
    "avmnist-2": (14.41, 25.49, "b"),
    "avmnist-3": (9.11, 13.88, "b"),
    "mmimdb-1": (21.37, 113.99, "n"),
    "mmimdb-2": (28.68, 163.04, "n"),
    "mmimdb-3": (23.67, 121.75, "n"),
    "memes-1": (10.51, 25.63, "b"),
    "memes-3": (11.11, 26.63, "b"),
}


@needs_tables
@pytest.mark.parametrize("name", GOLDEN)
def test_a_row_as_an_architecture_file_costs_what_was_published(run: Run, tx2: str, name: str) -> None:
    latency, energy, match = GOLDEN[name]
    code, _, _ = run("models", "show", name, "--architecture", "row.json")
    assert code == 0
    code, out, _ = run("cost", "row.json", "--device", tx2, "--json")
    assert code == 0
    priced = json.loads(out)
    if match == "n":
        assert priced["latency_ms"] == pytest.approx(latency, rel=0.013)
        assert priced["energy_mj"] == pytest.approx(energy, rel=0.013)
        assert {line["key"].split("-")[0] for line in priced["layers"] if line["part"] == "fusion"} == {"Sum"}
    else:
        assert floored(priced["latency_ms"]) == latency
        assert match == "l" or floored(priced["energy_mj"]) == energy
    assert {line["provenance"] for line in priced["layers"]} == {"imported"}
    assert any("text" in entry for entry in priced["not_charged"]) == (not name.startswith("avmnist"))


@needs_tables
def test_one_command_compares_all_rows(run: Run, tx2: str) -> None:
    code, out, _ = run("models", "list", "--device", tx2, "--json")
    assert code == 0
    found = {row["name"]: row["priced"] for row in json.loads(out)}
    assert list(found) == NAMES
    both = [name for name, row in found.items() if row["latency_equal"] and row["energy_equal"]]
    assert both == ["avmnist-2", "avmnist-3", "memes-1", "memes-3"]
    assert found["avmnist-1"]["latency_equal"] and not found["memes-2"]["latency_equal"]
    text = run("models", "list", "--device", tx2)[1]
    assert "equal" in text and "labels of test" in text


def test_what_a_table_cannot_price_is_listed_with_the_reason(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
    only("avmnist").save(tmp_path / "devices" / "tx2.json")
    code, out, _ = run("models", "list", "--device", "tx2", "--json")
    assert code == 0
    found = {row["name"]: row["priced"] for row in json.loads(out)}
    assert list(found) == NAMES
    for name, priced in found.items():
        assert (priced["device"], priced["accounting"]) == ("tx2", "published")
        if name.startswith("avmnist"):
            assert priced["latency_ms"] > 0 and priced["latency_deviation"] is not None and priced["reason"] is None
            continue
        assert priced["latency_ms"] is priced["energy_mj"] is priced["latency_equal"] is None
        assert f"lacks {len(priced['missing'])} layers; " in priced["reason"]
        assert "hnas lut import harmonic FILE --device tx2 --merge" in priced["reason"]
    code, out, _ = run("models", "list", "--device", "tx2")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "memes-1 accuracy 88.45 1 x 2 10.51 25.63 - - - -" in lines
    assert f"memes-1: the cost table of 'tx2' lacks {len(found['memes-1']['missing'])} layers" in lines
    assert sum("hnas lut import harmonic FILE --device tx2 --merge" in line for line in lines) == 1
    # A table that is not there, or broken, is an error as ever.
    assert run("models", "list", "--device", "tx9")[0] == 1


@pytest.mark.parametrize(
    ("device", "compared"), [("jetson-tx2", True), ("TX2", True), ("agx", False), ("atx200", False)]
)
def test_prices_of_another_device_are_not_compared(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, compared: bool
) -> None:
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
    only("avmnist", "memes", "mmimdb", device=device).save(tmp_path / "devices" / f"{device}.json")
    rows = json.loads(run("models", "list", "--device", device, "--json")[1])
    assert all(row["priced"]["latency_ms"] > 0 and row["priced"]["energy_mj"] > 0 for row in rows)
    beside = ("latency_deviation", "energy_deviation", "latency_equal", "energy_equal")
    assert all((row["priced"][name] is not None) == compared for row in rows for name in beside)
    out = run("models", "list", "--device", device)[1]
    said = f"published figures are of a Jetson TX2; prices on {device} are not compared with them"
    assert (said in out) != compared and ("%" in out.replace("score %", "").replace("1.3 %", "")) == compared


def only(*tasks: str, device: str = "tx2") -> CostTable:
    """An imported table that prices the rows of some tasks."""
    plans = [published_plan(model) for model in published_models() if model.task in tasks]
    keys = {charge.layer.key for plan in plans for charge in plan.charges("published")[0]}
    costs = {key: LayerCost(0.3, 0.7, provenance="imported") for key in keys}
    return CostTable(device, costs, accounting="published", provenance="imported")


@needs_tables
@pytest.mark.parametrize("page", ["README.md", "docs/costs.md"])
def test_the_tables_that_a_page_imports_price_all_rows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
    for file in Path(os.environ["HNAS_SHARED"], "luts").glob("*_tx2.json"):
        (tmp_path / file.name).symlink_to(file)
    for line in (ROOT / page).read_text().splitlines():
        if line.startswith("hnas lut import harmonic"):
            words = [word for part in line.partition("#")[0].split()[1:] for word in sorted(glob(part)) or [part]]
            assert run(*words)[0] == 0
    rows = json.loads(run("models", "list", "--device", "tx2", "--json")[1])
    assert [row["name"] for row in rows if row["priced"]["latency_ms"] is not None] == NAMES


@needs_tables
def test_a_row_by_name_costs_what_its_file_costs(run: Run, tx2: str) -> None:
    run("models", "show", "memes-3", "--architecture", "row.json")
    by_file, by_name = (json.loads(run("cost", name, "--device", tx2, "--json")[1]) for name in ("row.json", "memes-3"))
    assert by_name["latency_ms"] == by_file["latency_ms"] and by_name["layers"] == by_file["layers"]
    assert by_name["published"]["score"] == 0.9014
    assert "not published" in run("cost", "memes-3", "--device", tx2)[1]


@needs_tables
def test_the_search_over_operators_finds_those_of_the_rows() -> None:
    program = benchmark()
    table = program.read_tables(os.path.join(os.environ["HNAS_SHARED"], "luts"))
    verdicts = {}
    for model in published_models():
        found = program.explain(model, table)
        verdicts[model.name] = program.verdict(model, found)
        if model.match == "exact":
            assert found.equal == 1  # one multiset of operators alone gives both figures
        if model.match in ("exact", "near"):
            assert found.operators == dict(model.operators)
    assert [name for name, verdict in verdicts.items() if verdict.startswith("exact")] == [
        "avmnist-2",
        "avmnist-3",
        "memes-1",
        "memes-3",
    ]
    assert verdicts["avmnist-1"].startswith("latency exact")


@needs_tables
def test_the_benchmark_prints_every_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["published_rows.py", os.path.join(os.environ["HNAS_SHARED"], "luts")])
    benchmark().main()
    out = capsys.readouterr().out
    assert all(name in out for name in NAMES)
    assert "memes-2: not reproducible: 6 operators take 0.358 ms or more" in out


def test_rows_are_listed_with_their_source(run: Run) -> None:
    code, out, _ = run("models", "list", "--json")
    assert code == 0
    rows = json.loads(out)
    assert [row["name"] for row in rows] == NAMES
    for row in rows:
        assert "2309.06612" in row["source"] and row["device"] == "tx2"
        assert sum(row["operators"].values()) == row["cells"] * row["nodes"]
        assert row["unimodal"].keys() == row["backbones"].keys() == row["inputs"].keys()
        if row["metric"] == "accuracy":  # floor(100 k / n) for some k: the published figures are cut off
            percent = [int(10000 * k / row["test_samples"]) for k in range(row["test_samples"] + 1)]
            assert round(10000 * row["score"]) in percent


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_an_architecture_that_can_be_built(run: Run, name: str) -> None:
    from hnas.datasets import Modality
    from hnas.studies import build_network
    from hnas.studies import read_plan

    code, out, _ = run("models", "show", name, "--json", "--architecture", "row.json")
    assert code == 0
    shown = json.loads(out)
    plan = read_plan("row.json")
    assert plan.to_json() == shown["architecture"]
    cells = plan.genotype.cells
    assert [len(cell.nodes) for cell in cells] == [shown["nodes"]] * shown["cells"]
    assert plan.genotype.pruned() == plan.genotype  # nothing is dead
    assert "not published" in shown["remarks"][0]
    if name.startswith("avmnist"):
        modalities = tuple(Modality(b.modality, "image", b.space.input_shape) for b in plan.branches)
        assert build_network(plan, modalities) is not None


def test_an_architecture_replaces_a_file_only_when_asked(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    words = ("models", "show", "avmnist-1", "--architecture", "notes.txt")
    code, out, err = run(*words)
    assert code == 1 and out == ""
    assert err.startswith("error: 'notes.txt' is there already") and "--replace" in err
    assert notes.read_text() == "mine"
    assert run(*words, "--replace")[0] == 0
    assert json.loads(notes.read_text())["task"] == "avmnist"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("models", "show", "avmnist-4"), "avmnist-3"),
        (("cost", "avmnst-1"), "did you mean 'avmnist-1'"),
        (("cost", "avmnst-1"), "path of an architecture file"),
        (("cost", "avmnist-1", "--device", "tx9"), "tx9"),
    ],
)
def test_unknown_names_are_said(run: Run, words: tuple[str, ...], says: str) -> None:
    code, _, err = run(*words)
    assert code == 1 and says in err
