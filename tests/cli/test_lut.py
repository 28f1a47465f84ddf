"""``hnas lut`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hnas.costs import CostTable
from hnas.costs import Layer
from hnas.costs import LayerCost
from tests.cli.test_errors import Run
from tests.cli.test_errors import run

__all__ = ["run"]

LINEAR = "LinearLayer-input:80-in_ch:80-out_ch:10"
SPACE = "ofa_mobilenet_v3/avmnist:1x28x28:10"


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
    return tmp_path / "devices"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A published table that prices all that the image space of AV-MNIST reaches, but for its classifier."""
    from hnas.spaces import space_for

    layers = space_for("ofa_mobilenet_v3", "avmnist", (1, 28, 28), 10).reachable_layers()
    document = {layer.key: {"lat": "0.5", "enrg": "1.5"} for layer in layers if layer.key != LINEAR}
    for op in ("Sum", "ScaleDotAttn", "LinearGLU", "ConcatFC", "SE1", "SE2", "CatConvMish"):
        document[f"{op}-input:1_192_16-N:1-C:192-L:16"] = {"lat": "0.1", "enrg": "0.2"}
    path = tmp_path / "lut.json"
    path.write_text(json.dumps(document))
    return path


def test_import_list_show_and_check(run: Run, devices: Path, published: Path, tmp_path: Path) -> None:
    code, out, _ = run("lut", "import", "harmonic", str(published), "--device", "tx2")
    assert code == 0 and "reshape layers" in out and str(devices / "tx2.json") in out

    code, out, _ = run("lut", "list", "--json")
    assert [(line["device"], line["provenance"], line["accounting"]) for line in json.loads(out)] == [
        ("tx2", "imported", "published")
    ]
    assert "imported" in run("lut", "list")[1]

    code, out, _ = run("lut", "show", "tx2", "--filter", "GLU", "--json")
    assert list(json.loads(out)["layers"]) == ["LinearGLU-input:1_192_16-N:1-C:192-L:16"]
    assert "0.2000" in run("lut", "show", "tx2", "--filter", "Sum")[1]

    code, out, _ = run("lut", "check", "--device", "tx2", "--space", SPACE)
    assert code == 1 and out.splitlines()[0] == LINEAR

    more = tmp_path / "more.json"
    more.write_text(json.dumps({LINEAR: {"lat": 0.1, "enrg": 0.1}}))
    code, _, err = run("lut", "import", "harmonic", str(more), "--device", "tx2")
    assert code == 1 and "--merge" in err
    code, out, _ = run("lut", "import", "harmonic", str(more), "--device", "tx2", "--merge", "--json")
    assert code == 0 and LINEAR in json.loads(out)["layers"]
    code, out, _ = run("lut", "check", "--device", "tx2", "--space", SPACE, "--json")
    assert code == 0 and json.loads(out)["missing"] == []
    # What Harmonic-NAS never charged has no price.
    code, out, _ = run("lut", "check", "--device", "tx2", "--space", SPACE, "--accounting", "deployed", "--json")
    assert code == 1 and all("Linear" not in key for key in json.loads(out)["missing"])


def test_profiling_replaces_a_table_only_when_asked(
    run: Run, devices: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def profile(layers: set[Layer], device: str, **_: object) -> CostTable:
        measured.append(device)
        return CostTable(device, {layer.key: LayerCost(1.0) for layer in layers})

    monkeypatch.setattr("hnas.studies.devices.profile", profile)
    assert run("lut", "import", "harmonic", str(published), "--device", "tx2")[0] == 0
    before = (devices / "tx2.json").read_bytes()
    words = ("lut", "profile", "--no-check", "--device")
    for name, to in (("tx2", ()), ("other", ("--to", str(devices / "tx2.json")))):
        code, _, err = run(*words, name, *to)
        assert code == 1 and "imported" in err and "--replace" in err
    (tmp_path / "notes.txt").write_text("mine")
    assert run(*words, "tx2", "--to", "notes.txt")[0] == 1
    code, _, err = run(*words, "tx2.json")
    assert code == 1 and "'tx2.json' cannot be a device's name" in err
    assert not measured  # all that was known before the minutes of measuring
    assert (devices / "tx2.json").read_bytes() == before and (tmp_path / "notes.txt").read_text() == "mine"

    assert run(*words, "tx2", "--replace")[0] == run(*words, "box")[0] == 0
    provenance = {line["device"]: line["provenance"] for line in json.loads(run("lut", "list", "--json")[1])}
    assert provenance == {"box": "measured", "tx2": "measured"}
    # The profile of this machine is made anew whenever it is asked for.
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    assert run(*words, "host")[0] == run(*words, "host")[0] == 0
    assert measured == ["tx2", "box", "host", "host"]


def test_a_dataset_can_be_checked(run: Run, tiny_dataset: Path, tiny_table: Path, tmp_path: Path) -> None:
    code, out, _ = run("lut", "check", "--device", str(tiny_table), "--dataset", str(tiny_dataset), "--json")
    found = json.loads(out)
    assert code == 1 and found["missing"]  # the small table is for a smaller fusion
    config = tmp_path / "fusion.yaml"
    config.write_text("fusion: {channels: 8, length: 4, max_cells: 2, max_nodes: 2}")
    words = ("lut", "check", "--device", str(tiny_table), "--dataset", str(tiny_dataset), "--config", str(config))
    assert run(*words)[0] == 0


def test_a_broken_table_is_listed_as_such(run: Run, devices: Path) -> None:
    devices.mkdir()
    (devices / "bad.json").write_text("{")
    (line,) = json.loads(run("lut", "list", "--json")[1])
    assert line["device"] == "bad" and "JSON" in line["problem"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "harmonic", "none.json", "--device", "tx2"), "none.json"),
        (("import", "other", "none.json", "--device", "tx2"), "harmonic"),
        (("import", "harmonic", "none.json"), "--device"),
        (("import", "harmonic", "none.json", "--device", "tx2.json"), "'tx2.json' cannot be a device's name"),
        (("show", "tx9"), "tx9"),
        (("check", "--device", "tx9", "--space", SPACE), "tx9"),
        (("check", "--device", "TABLE"), "--space"),
        (("check", "--device", "TABLE", "--space", "avmnist"), "FAMILY/VARIANT:SHAPE:OUTPUTS"),
        (("check", "--device", "TABLE", "--space", "ofa_mobilenet_v3/none:1x28x28:10"), "none"),
        (("check", "--device", "TABLE", "--space", SPACE, "--space", SPACE.replace(":10", ":9")), "number of outputs"),
    ],
)
def test_what_is_wrong_is_said(run: Run, tiny_table: Path, words: tuple[str, ...], says: str) -> None:
    code, _, err = run("lut", *(str(tiny_table) if word == "TABLE" else word for word in words))
    assert code and says in err
