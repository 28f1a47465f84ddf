"""The Python code of the documentation runs, page by page, as one program; names in tables exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = "\n".join(blocks(page, "python"))
    exec(compile(program, str(page), "exec"), {"__name__": "docs"})


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
        known = {option for parameter in command.params for option in parameter.opts}
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
