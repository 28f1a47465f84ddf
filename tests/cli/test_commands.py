"""The commands, as a user types them, on small data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hnas.base import Progress
from hnas.studies import SearchConfig
from hnas.studies.resolution import resolve
from tests.cli.test_errors import config
from tests.cli.test_errors import Run
from tests.cli.test_errors import run
from tests.studies.test_accounting import published

__all__ = ["config", "run"]


def test_search_show_list_export(run: Run, config: Path, quick: dict[str, Any], tmp_path: Path) -> None:
    storage = ("--storage", quick["storage"])
    code, out, _ = run("search", "s", "--config", str(config), "--json")
    assert code == 0
    assert json.loads(out)["study"] == "s"

    code, out, _ = run("show", "s", *storage, "--json", "--plot", str(tmp_path / "front.png"))
    shown = json.loads(out)
    assert shown["trials"]["complete"] == 4
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")

    code, out, _ = run("show", "s", *storage)
    assert "Front of s" in out
    assert "late fusion of the same backbones" in out
    assert "random search" in out

    code, out, _ = run("list", *storage, "--json")
    assert [(line["study"], line["trials"]) for line in json.loads(out)] == [("s", 4)]

    folder = tmp_path / "model"
    code, out, _ = run("export", "s", *storage, "--to", str(folder), "--format", "torch", "--pick", "latency")
    assert code == 0
    assert "accuracy on test, one reading" in out
    fastest = min(shown["front"], key=lambda item: item["latency_ms"])
    assert json.loads((folder / "metrics.json").read_text())["trial"] == fastest["trial"]

    code, out, _ = run("cost", str(folder / "architecture.json"), "--device", quick["device"], "--json")
    priced = json.loads(out)
    assert priced["latency_ms"] == pytest.approx(fastest["latency_ms"])
    assert priced["energy_mj"] is None
    assert {"layers", "not_charged"} <= priced.keys()


def test_every_cost_says_its_accounting_and_what_it_leaves_out(
    run: Run, config: Path, quick: dict[str, Any], tmp_path: Path
) -> None:
    published(resolve(SearchConfig(**quick), Progress())).table.save(tmp_path / "tx2.json")
    storage, device = ("--storage", quick["storage"]), ("--device", str(tmp_path / "tx2.json"))
    settings = {**yaml.safe_load(config.read_text()), "fusion": {**quick["fusion"], "kinds": ["cells"]}}
    config.write_text(yaml.safe_dump(settings))
    assert run("search", "s", "--config", str(config), *device, "--trials", "2")[0] == 0
    left_out = "reshape layers, cell outputs (residual and normalisation), fusion head"

    shown = json.loads(run("show", "s", *storage, "--json")[1])
    assert (shown["device"], shown["accounting"], ", ".join(shown["not_charged"])) == ("tx2", "published", left_out)
    assert all(", ".join(item["not_charged"]) == left_out for item in shown["front"])
    text = " ".join(run("show", "s", *storage)[1].split())
    assert "cost table of tx2 (published accounting)" in text and f"not charged in these costs: {left_out}" in text

    code, text, _ = run("export", "s", *storage, "--to", "model", "--format", "torch")
    assert code == 0
    assert "on tx2 (imported, published accounting)" in text and f"not charged in what is predicted: {left_out}" in text
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    for cost in (metrics["latency_ms"], metrics["energy_mj"]):
        assert (cost["device"], cost["accounting"], ", ".join(cost["not_charged"])) == ("tx2", "published", left_out)
    card = (tmp_path / "model" / "README.md").read_text()
    assert card.count("(cost table of `tx2`, imported, published accounting)") == 2
    assert f"- not charged in what is predicted: {left_out}" in card

    words = ("cost", "model/architecture.json", *device)
    priced = json.loads(run(*words, "--json")[1])
    assert (priced["device"], priced["accounting"], ", ".join(priced["not_charged"])) == ("tx2", "published", left_out)
    text = run(*words)[1]
    assert "accounting: published, cost table of tx2" in text and f"not charged: {left_out}" in text


def test_without_a_name_the_next_free_one_is_taken(run: Run, config: Path) -> None:
    names = [json.loads(run("search", "--config", str(config), "--json")[1])["study"] for _ in range(2)]
    assert names == ["tiny-1", "tiny-2"]


def test_data_show_and_split(run: Run, tiny_dataset: Path) -> None:
    code, out, _ = run("data", "show", str(tiny_dataset))
    assert code == 0
    assert "no sample, and no part of one" in out
    code, out, _ = run("data", "show", str(tiny_dataset), "--json")
    assert json.loads(out)["splits"]["fit"]["samples"] == 96


def test_help_needs_no_heavy_library() -> None:
    program = (
        "import sys; from hnas.cli import main\ntry: main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Find multimodal networks" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_settings_files_reach_the_study(run: Run, config: Path, quick: dict[str, Any], tmp_path: Path) -> None:
    settings = yaml.safe_load(config.read_text()) | {"trials": 2}
    config.write_text(yaml.safe_dump(settings))
    _, out, _ = run("search", "s", "--config", str(config), "--trials", "3", "--json")
    assert json.loads(out)["trials"]["with_values"] == 3


def test_supernets_are_trained_once_and_evaluated_on_val(run: Run, tiny_dataset: Path, private_cache: Path) -> None:
    code, out, err = run("supernet", "train", "--dataset", str(tiny_dataset), "--modality", "image", "--json")
    assert code == 0
    assert list(json.loads(out)) == ["image"]
    assert "training the supernet" in err
    _, _, err = run("supernet", "train", "--dataset", str(tiny_dataset), "--modality", "image")
    assert "training the supernet" not in err
    command = ("supernet", "evaluate", "--dataset", str(tiny_dataset), "--modality", "image", "--random", "1", "--json")
    rows = json.loads(run(*command)[1])
    assert [row["which"] for row in rows] == ["largest", "smallest", "random"]
    assert all(row["score"] > 0.4 for row in rows)  # a quarter by chance


@pytest.mark.slow
def test_profiling_prices_every_network_and_says_how_well_sums_add_up(
    run: Run, config: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    settings = yaml.safe_load(config.read_text())
    profile = tmp_path / "profile.yaml"
    profile.write_text(yaml.safe_dump({"fusion": settings["fusion"]}))
    table = tmp_path / "box.json"
    command = ("lut", "profile", "--dataset", str(tiny_dataset), "--config", str(profile), "--device", "box")
    code, out, _ = run(*command, "--to", str(table), "--json")
    assert code == 0
    measured = json.loads(out)
    assert measured["provenance"] == "measured"
    assert all(entry["latency_ms"] > 0 and entry["repeats"] >= 10 for entry in measured["layers"].values())
    assert measured["additivity"] is None or measured["additivity"]["kendall_tau"] > 0.3
    # The table serves a search: nothing is missing.
    code, out, _ = run("search", "s", "--config", str(config), "--device", str(table), "--trials", "2", "--json")
    assert code == 0
    assert json.loads(out)["device"] == "box"
