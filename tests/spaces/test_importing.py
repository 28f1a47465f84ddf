"""Importing checkpoints: files in the published layouts, and files that are something else."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from hnas.base import file_sha256
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.spaces import import_supernet
from hnas.spaces import imported_missing
from hnas.spaces import load_supernet
from hnas.spaces import MaxoutSpace
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import save_supernet
from hnas.spaces import Space
from hnas.spaces import Supernet
from hnas.spaces import supernet_metadata

MEMES = OfaMobileNetV3("memes", (3, 32, 32), 3)
AVMNIST = OfaMobileNetV3("avmnist", (1, 28, 28), 10)
HUB = OfaMobileNetV3("full-w1.0", (3, 32, 32), 1000)
TEXT = MaxoutSpace("memes", (77,), 3)


def trained(space: Space, seed: int = 5) -> Supernet:
    """A supernet none of whose tensors has its first value."""
    with seeded(seed):
        supernet = space.supernet()
        for name, tensor in supernet.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.fill_(7)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif "bn" in name or "matrix" in name:
                tensor.add_(0.1 * torch.randn_like(tensor))
    return supernet.eval()


def harmonic(supernet: Supernet) -> dict[str, Any]:
    """The image checkpoints of Harmonic-NAS."""
    weights = {f"module.{name}": tensor for name, tensor in supernet.state_dict().items()}
    return {"epoch": 30, "best_acc": 86.44, "state_dict": weights, "optimizer": {"state": {}, "param_groups": []}}


def hub(supernet: Supernet) -> dict[str, Any]:
    """The checkpoints of once-for-all's hub."""
    return {"state_dict": {_old(name): tensor for name, tensor in supernet.state_dict().items()}}


def _old(name: str) -> str:
    words = name.split(".")
    if words[0] == "blocks":
        words[2] = "mobile_inverted_conv"
    return ".".join(words)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def logits(supernet: Supernet, space: Space) -> Tensor:
    x = torch.randn((2, *space.input_shape), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return supernet(x, space.smallest())


@pytest.mark.parametrize(
    ("space", "content", "layout"),
    [
        (MEMES, harmonic, "harmonic"),
        (MEMES, hub, "ofa"),
        (TEXT, lambda supernet: supernet.state_dict(), "harmonic"),
        (TEXT, lambda supernet: {"state_dict": supernet.state_dict()}, "harmonic"),
    ],
    ids=["harmonic", "hub", "text bare", "text"],
)
@pytest.mark.parametrize("told", [True, False])
def test_a_published_layout_comes_back_whole(tmp_path, space, content, layout, told):
    source = trained(space)
    path, to = saved(tmp_path / "published.pth.tar", content(source)), tmp_path / "net.safetensors"
    report = import_supernet(path, space, to, layout=layout if told else None)
    assert (report.complete, report.layout, report.skipped, report.share) == (True, layout, (), 1.0)
    assert list(report.taken) == [name for name in source.state_dict() if not name.endswith("num_batches_tracked")]
    loaded = load_supernet(space, to)
    assert torch.equal(logits(loaded, space), logits(source, space))
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in source.state_dict().items())
    assert imported_missing(to) == []
    note = supernet_metadata(to)["imported"]
    assert note == {
        "file": "published.pth.tar",
        "sha256": file_sha256(path),
        "layout": layout,
        "missing": [],
        "taken": len(report.taken),
    }


def test_the_supernet_files_of_hnas_can_be_imported_for_other_outputs(tmp_path):
    source = trained(MEMES)
    save_supernet(source, tmp_path / "three.safetensors", {})
    five = OfaMobileNetV3("memes", (3, 64, 64), 5)
    report = import_supernet(tmp_path / "three.safetensors", five, tmp_path / "five.safetensors")
    assert report.missing == ("classifier.linear.weight", "classifier.linear.bias")


def test_hub_weights_fill_memes_but_for_its_head(tmp_path):
    source, to = trained(HUB), tmp_path / "net.safetensors"
    report = import_supernet(saved(tmp_path / "ofa_mbv3_d234_e346_k357_w1.0", hub(source)), MEMES, to)
    norm = ("weight", "bias", "running_mean", "running_var")
    head = ["final_expand_layer.conv.weight", *(f"final_expand_layer.bn.{part}" for part in norm)]
    head += ["feature_mix_layer.conv.weight", "classifier.linear.weight", "classifier.linear.bias"]
    assert (report.layout, len(report.taken), len(report.missing), len(report.skipped)) == ("ofa", 235, 8, 176)
    assert list(report.missing) == head == imported_missing(to)
    reasons = [skipped.reason for skipped in report.skipped]
    assert (reasons.count("unknown name"), reasons.count("other shape")) == (168, 8)
    other = {skipped.name: (skipped.shape, skipped.needed) for skipped in report.skipped if skipped.needed}
    assert other["classifier.linear.weight"] == ((1000, 1280), (3, 160))
    assert 0.95 < report.share < 0.96
    parts = {part.name: part for part in report.parts()}
    assert list(parts) == ["first_conv", "blocks", "final_expand_layer", "feature_mix_layer", "classifier"]
    blocks = parts["blocks"]
    assert (blocks.taken, blocks.missing, blocks.unfit, blocks.unknown) == (230, 0, 0, 168)
    assert blocks.example == "blocks.13.conv.inverted_bottleneck.conv.conv.weight"
    assert parts["classifier"].example == "classifier.linear.weight"
    weights, given = load_supernet(MEMES, to).state_dict(), source.state_dict()
    assert all(torch.equal(weights[name], given[name]) for name in report.taken)
    assert int(weights["blocks.12.conv.point_linear.bn.bn.num_batches_tracked"]) == 7
    assert int(weights["final_expand_layer.bn.num_batches_tracked"]) == 0


@pytest.mark.parametrize(
    ("source", "target", "outputs", "missing"),
    [
        ("full-w1.0", "full-w1.0", 1000, ()),
        ("full-w1.2", "full-w1.2", 1000, ()),
        ("full-w1.2", "mmimdb", 23, ("classifier.linear.weight", "classifier.linear.bias")),
    ],
)
def test_hub_weights_fill_the_networks_of_five_stages(tmp_path, source, target, outputs, missing):
    published = OfaMobileNetV3(source, (3, 224, 224), 1000)
    path, to = saved(tmp_path / "hub", hub(published.supernet())), tmp_path / "net.safetensors"
    report = import_supernet(path, OfaMobileNetV3(target, (3, 224, 224), outputs), to)
    assert report.missing == missing
    assert len(report.taken) + len(missing) == 411
    assert {skipped.name for skipped in report.skipped} == set(missing)


def test_hub_weights_fill_avmnist_but_for_its_stem_and_head(tmp_path):
    path = saved(tmp_path / "hub", hub(trained(HUB)))
    report = import_supernet(path, AVMNIST, tmp_path / "net.safetensors")
    assert (len(report.taken), len(report.missing)) == (82, 9)
    assert report.missing[0] == "first_conv.conv.weight"
    assert report.skipped[0].name == "first_conv.conv.weight"
    assert (report.skipped[0].shape, report.skipped[0].needed) == ((16, 3, 3, 3), (16, 1, 3, 3))
    assert sum(skipped.reason == "unknown name" for skipped in report.skipped) == 8 * 21 + 4 * 17 + 4 * 21


def test_fresh_weights_follow_from_the_seed(tmp_path):
    path = saved(tmp_path / "hub", hub(trained(HUB)))

    def classifier(seed: int) -> Tensor:
        to, before = tmp_path / "net.safetensors", torch.random.get_rng_state()
        import_supernet(path, MEMES, to, seed=seed, replace=True)
        assert torch.equal(before, torch.random.get_rng_state())
        return load_supernet(MEMES, to).state_dict()["classifier.linear.weight"]

    assert torch.equal(classifier(0), classifier(0))
    assert not torch.equal(classifier(0), classifier(1))


def test_a_static_network_fills_the_elastic_one(tmp_path):
    """Once-for-all's remaining renamings: undoubled names, as of its largest static network, become doubled ones."""
    source = trained(MEMES)
    static = source.extract(MEMES.largest()).state_dict()
    report = import_supernet(saved(tmp_path / "static", {"state_dict": static}), MEMES, tmp_path / "net.safetensors")
    assert report.layout == "ofa"
    assert report.skipped == ()
    assert all(name.endswith("_matrix") for name in report.missing)
    loaded = load_supernet(MEMES, tmp_path / "net.safetensors")
    x = torch.randn(2, *MEMES.input_shape)
    with torch.no_grad():
        assert torch.equal(loaded(x, MEMES.largest()), source(x, MEMES.largest()))


def test_counters_of_batch_norm_may_be_absent_or_of_another_type(tmp_path):
    weights = {name: tensor for name, tensor in trained(TEXT).state_dict().items() if "tracked" not in name}
    report = import_supernet(saved(tmp_path / "a.pt", weights), TEXT, tmp_path / "a.safetensors")
    assert report.complete
    weights |= {
        "op_list.1.0.num_batches_tracked": torch.tensor([3.0]),
        "op_list.3.0.num_batches_tracked": torch.ones(2),
    }
    assert import_supernet(saved(tmp_path / "b.pt", weights), TEXT, tmp_path / "b.safetensors").complete
    assert int(load_supernet(TEXT, tmp_path / "b.safetensors").state_dict()["op_list.1.0.num_batches_tracked"]) == 0


def test_half_precision_is_widened_and_whole_numbers_are_no_weights(tmp_path):
    weights = {name: tensor.half() if tensor.ndim else tensor for name, tensor in trained(TEXT).state_dict().items()}
    weights["hid2val.bias"] = torch.ones(3, dtype=torch.int64)
    report = import_supernet(saved(tmp_path / "a.pt", weights), TEXT, tmp_path / "a.safetensors")
    assert report.missing == ("hid2val.bias",)
    skipped = report.skipped[0]
    assert (skipped.reason, skipped.dtype, skipped.needed_dtype) == ("other type", "int64", "float32")
    loaded = load_supernet(TEXT, tmp_path / "a.safetensors").state_dict()
    assert loaded["hid2val.weight"].dtype == torch.float32
    assert torch.equal(loaded["hid2val.weight"], weights["hid2val.weight"].float())


def test_a_share_is_never_rounded_up_to_all(tmp_path):
    weights = {name: tensor for name, tensor in trained(HUB).state_dict().items() if name != "classifier.linear.bias"}
    weights["classifier.linear.bias"] = torch.zeros(999)
    report = import_supernet(saved(tmp_path / "a.pt", weights), HUB, tmp_path / "a.safetensors")
    assert report.missing == ("classifier.linear.bias",)
    assert (f"{report.share:.1%}", report.percent) == ("100.0%", "99.9%")


def refused(path: Path, space: Space, message: str, **options: Any) -> None:
    to = path.parent / "out" / "net.safetensors"
    with pytest.raises(SpaceError, match=message) as caught:
        import_supernet(path, space, to, **options)
    assert len(str(caught.value).splitlines()) <= 2
    assert len(str(caught.value)) < 600
    assert not to.exists()


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_payload_is_refused_and_does_not_run(tmp_path, zipped):
    mark, path = tmp_path / "mark", tmp_path / "evil.pth.tar"
    content = {**harmonic(trained(TEXT)), "args": Payload(mark)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    refused(path, TEXT, r"evil\.pth\.tar. holds more than weights \((posix|nt)\.system\).*save its state_dict alone")
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the payload is one
    assert mark.exists()


def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Payload(mark)))
    refused(path, TEXT, "evil.pt' is no checkpoint, or it is truncated")
    assert not mark.exists()


def test_a_pickled_network_is_refused(tmp_path):
    path = saved(tmp_path / "net.pt", {"model": torch.nn.Linear(2, 2)})
    refused(path, TEXT, r"more than weights \(torch\.nn\.modules\.linear\.Linear\)")


@pytest.mark.parametrize("layout", ["zip", "legacy", "safetensors"])
def test_truncated_files_are_named(tmp_path, layout):
    whole = tmp_path / "whole"
    weights = trained(TEXT).state_dict()
    if layout == "safetensors":
        safetensors.torch.save_file(weights, whole)
    else:
        torch.save(weights, whole, _use_new_zipfile_serialization=layout == "zip")
    content = whole.read_bytes()
    for part in (0, 100, 5_000, len(content) - 10):
        path = tmp_path / f"cut{part}.{'safetensors' if layout == 'safetensors' else 'pt'}"
        path.write_bytes(content[:part])
        refused(path, TEXT, rf"cut{part}\.\w+' is no checkpoint.*truncated")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, "its entry 'epoch' is no tensor, but int"),
        ({"state_dict": 3}, "neither a state_dict nor a dictionary of tensors"),
        ({"state_dict": {}}, "neither a state_dict nor a dictionary of tensors"),
        ({"state_dict": {"a": [1]}}, "entry 'a' of its state_dict is no tensor, but list"),
        ({1: torch.zeros(1)}, "the name of its entry 1 is no text, but int"),
        ({"state_dict": {("a", 1): torch.zeros(1)}}, r"the name of entry \('a', 1\) of its state_dict is no text, but"),
        ([torch.zeros(1)], "neither a state_dict"),
        (torch.zeros(3), "neither a state_dict"),
        ({"a": torch.eye(3).to_sparse()}, "'a' is no dense tensor"),
        ({"a": torch.zeros(3, device="meta")}, "'a' is no dense tensor"),
        ({"a": torch.zeros(3)}, r"is not of maxout/memes: it has 0% .*1 of its names are unknown.*first 'a'"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    refused(saved(tmp_path / "other.pt", content), TEXT, message)


def test_other_files_are_refused(tmp_path):
    refused(tmp_path / "none.pt", TEXT, "no checkpoint '.*none.pt'")
    refused(tmp_path, TEXT, "no checkpoint")
    page = tmp_path / "page.pth.tar"
    page.write_text("<html>not found</html>")
    refused(page, TEXT, "neither PyTorch nor safetensors can read it")


def test_another_width_is_refused(tmp_path):
    """The kernel transforms of all widths have one shape: they alone are not worth an import."""
    path = saved(tmp_path / "hub", hub(trained(HUB)))
    wide = OfaMobileNetV3("mmimdb", (3, 32, 32), 23)
    refused(path, wide, r"is not of ofa_mobilenet_v3/mmimdb: it has 0% .*needed are 50% .*have other shapes; first")
    refused(path, TEXT, "has 0%")


def test_a_layout_that_is_told_is_not_second_guessed(tmp_path):
    path = saved(tmp_path / "hub", hub(trained(HUB)))
    refused(path, MEMES, "is not of ofa_mobilenet_v3/memes", layout="harmonic")
    refused(path, MEMES, "unknown checkpoint layout 'once'; known: harmonic, ofa", layout="once")


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    weights = trained(TEXT).state_dict()
    weights["hid2val.bias"] = torch.tensor([0.0, float("nan"), 1.0])
    weights["op_list.1.0.running_var"][0] = float("inf")
    refused(saved(tmp_path / "nan.pt", weights), TEXT, r"'op_list.1.0.running_var' has numbers .* not finite \(2 such")


def test_complex_numbers_are_refused_by_their_type(tmp_path):
    weights = {name: tensor.to(torch.complex64) for name, tensor in trained(AVMNIST).state_dict().items()}
    message = (
        r"0 have other shapes, \d+ have numbers of another type; first '\S+' of type complex64, needed is float32\)"
    )
    refused(saved(tmp_path / "complex.pt", weights), AVMNIST, message)


def test_negative_variances_are_refused(tmp_path):
    weights = trained(TEXT).state_dict()
    weights["op_list.1.0.running_var"][3] = -1e-3
    weights["op_list.1.0.running_mean"][3] = -1e-3
    refused(saved(tmp_path / "a.pt", weights), TEXT, r"'op_list.1.0.running_var' has negative numbers.*\(1 such")


def test_a_huge_view_of_one_number_is_skipped_without_being_made(tmp_path):
    weights: Mapping[str, Tensor] = {**trained(TEXT).state_dict(), "extra": torch.zeros(1).expand(10**13)}
    report = import_supernet(saved(tmp_path / "a.pt", dict(weights)), TEXT, tmp_path / "a.safetensors")
    assert [(skipped.name, skipped.shape) for skipped in report.skipped] == [("extra", (10**13,))]


def test_two_names_for_one_weight_are_refused(tmp_path):
    weights = dict(trained(TEXT).state_dict())
    weights["module.hid2val.bias"] = torch.zeros(3)
    refused(saved(tmp_path / "two.pt", weights), TEXT, "'module.hid2val.bias' and another tensor are both")


def test_the_checkpoint_is_not_overwritten(tmp_path):
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file(trained(TEXT).state_dict(), path)
    with pytest.raises(SpaceError, match="is the checkpoint itself"):
        import_supernet(path, TEXT, path)


def test_a_supernet_that_was_not_imported_misses_nothing(tmp_path):
    save_supernet(trained(TEXT), tmp_path / "net.safetensors", {"recipe": {}})
    assert imported_missing(tmp_path / "net.safetensors") == []
