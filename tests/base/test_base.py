from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch

from hnas.base import atomic_path
from hnas.base import derive_seed
from hnas.base import HnasError
from hnas.base import locked
from hnas.base import MissingExtraError
from hnas.base import read_json
from hnas.base import refuse_existing
from hnas.base import Registry
from hnas.base import require_extra
from hnas.base import seeded
from hnas.base import write_json


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["value.json"]


def test_files_are_as_readable_as_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "value.json", 1)
    finally:
        os.umask(before)
    assert (tmp_path / "value.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no files, such as /proc")
@pytest.mark.timeout(20)
def test_a_folder_that_takes_no_files_is_named_at_once() -> None:
    with pytest.raises(HnasError, match=r"'/proc' takes no files"):
        write_json(Path("/proc/value.json"), 1)
    with pytest.raises(HnasError, match=r"'/proc' takes no files"), locked(Path("/proc/value.json")):
        pass


def test_a_file_that_is_there_is_lost_only_when_asked(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "notes.txt")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HnasError, match=r"notes\.txt' is there already.*--replace"):
        refuse_existing(tmp_path / "notes.txt")
    refuse_existing(tmp_path / "notes.txt", replace=True)


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "value.json", {"a": float("inf")})
    assert list(tmp_path.iterdir()) == []


def test_broken_json_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"a": 1,')
    with pytest.raises(HnasError, match=r"broken\.json.*line 1"):
        read_json(path)
    with pytest.raises(HnasError, match="no file"):
        read_json(tmp_path / "none.json")


def test_names_are_registered_once_and_unknown_ones_get_a_hint() -> None:
    registry: Registry[int] = Registry("colour", "hnas.none")
    registry.register("orange")(1)
    with pytest.raises(ValueError, match="twice"):
        registry.register("orange")(2)
    with pytest.raises(HnasError, match=r"unknown colour 'ornage'.*did you mean 'orange'"):
        registry.get("ornage")
    assert "orange" in registry


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'hnas\[sound\]'"):
        require_extra("no_such_module_anywhere", "sound")


def test_seeds_follow_from_their_parts_alone() -> None:
    assert derive_seed("a", 1) == derive_seed("a", 1)
    assert len({derive_seed("a", 1), derive_seed("a", 2), derive_seed("a1"), derive_seed("a", "1", "")}) == 4
    assert all(0 <= derive_seed(number) < 2**31 for number in range(100))


def test_a_seeded_block_leaves_the_generator_as_it_was() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    with seeded(1):
        first = torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)
    with seeded(1):
        assert torch.equal(torch.rand(3), first)


def hold(path: Path, log: Path) -> None:
    with locked(path):
        log.write_text(log.read_text() + "in ")
        time.sleep(0.3)
        log.write_text(log.read_text() + "out ")


def test_a_lock_holds_between_processes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=hold, args=(tmp_path / "thing", log)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert log.read_text() == "in out in out "
