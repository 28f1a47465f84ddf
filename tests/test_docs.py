"""The Python code of the documentation runs, page by page, as one program; names in tables exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.conftest import QUICK
from tests.conftest import write_table

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(program: str, page: Path, **names: Any) -> dict[str, Any]:
    """Runs a program and returns its names."""
    namespace = {"__name__": "docs", **names}
    exec(compile(program, str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("\n".join(blocks(page, "python")), page)


def test_python_of_the_readme_runs(tmp_path: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(ROOT / "README.md", "python")
    asked = 'dataset="digits", trials=30'
    assert program.count(asked) == 1
    names = run(program.replace(asked, "**quick"), ROOT / "README.md", quick={**quick, "trials": 2})
    assert isinstance(names["network"], torch.nn.Module)
    assert (tmp_path / "model" / "architecture.json").is_file()


def test_the_example_of_the_datasets_page_can_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hnas

    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "datasets.md"
    run(blocks(page, "python")[0], page)
    (dataset,) = tmp_path.glob("*.h5")
    assert f"--dataset {dataset.name}" in "".join(blocks(page, "bash"))
    config = hnas.SearchConfig(name="page", dataset=str(dataset), device="bench.json", trials=2, **QUICK)
    write_table(tmp_path / "bench.json", dataset, config)
    front = hnas.show(hnas.search(config))["front"]
    assert front and all(item["latency_ms"] > 0 for item in front)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=lambda page: page.stem)
def test_settings_of_a_page_are_settings(page: Path) -> None:
    from hnas import SearchConfig
    from hnas.spaces import space_for

    for block in blocks(page, "yaml"):
        config = SearchConfig(**yaml.safe_load(block))
        for backbone in (config.backbones or {}).values():
            space_for(backbone.space, backbone.variant, (64,) if backbone.space == "maxout" else (1, 64, 64), 2)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_commands_exist(page: Path) -> None:
    from hnas.cli.app import cli

    for line in "\n".join(blocks(page, "bash")).splitlines():
        words = line.split("#")[0].split()
        if "hnas" not in words[:1]:
            continue
        command = cli.get_command(None, words[1])  # type: ignore[arg-type]
        assert command is not None, line
        if hasattr(command, "commands") and words[2:]:
            command = command.commands.get(words[2])
            assert command is not None, line
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_names_in_the_extension_table_exist() -> None:
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    names = re.findall(r"`(hnas(?:\.[a-z_]+)+\.[A-Za-z_]+)`", text)
    groups = re.findall(r"\| `(hnas\.[a-z_]+)` \|", text)
    assert len(names) >= 8
    for name in names:
        module, _, attribute = name.rpartition(".")
        if name not in groups:
            assert hasattr(importlib.import_module(module), attribute), name
