"""The Maxout network: published figures, states, layers, and learning from raw token ids."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.costs import layer_builders
from hnas.costs import profile
from hnas.costs import ProfileSettings
from hnas.datasets import HeldSamples
from hnas.spaces import MAXOUT_VARIANTS
from hnas.spaces import MaxoutSpace
from hnas.spaces import recalibrate
from hnas.spaces import Space
from hnas.spaces import space_for
from hnas.spaces import train_supernet
from hnas.testing.spaces import SpaceContract

MMIMDB = MaxoutSpace("mmimdb", (300,), 23)
MEMES = MaxoutSpace("memes", (77,), 3)


class TestMaxout(SpaceContract):
    def make_space(self) -> Space:
        return space_for("maxout", "mmimdb", (30,), 5)


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("space", "count"), [(MMIMDB, 292_887), (MEMES, 173_571)], ids=["mmimdb", "memes"])
def test_numbers_of_weights_are_the_published_ones(space, count):
    assert weights(space.build(space.largest())) == count
    assert weights(space.supernet()) == count


def test_names_of_weights_are_the_published_ones():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    linear = [f"{name}.{part}" for name in ("op_list.0.lin", "op_list.2.lin", "hid2val") for part in ("weight", "bias")]
    names = {*linear, *(f"op_list.{number}.0.{part}" for number in (1, 3) for part in norm)}
    shared = MEMES.supernet().state_dict()
    assert set(shared) == set(MEMES.build(MEMES.largest()).state_dict()) == names
    assert shared["op_list.0.lin.weight"].shape == (512, 77)
    assert shared["op_list.2.lin.weight"].shape == (1024, 128)
    assert shared["hid2val.weight"].shape == (3, 256)


def test_there_is_one_network_and_nothing_to_suggest():
    assert MMIMDB.size() == len(list(MMIMDB.architectures())) == 1
    only = MMIMDB.suggest(None, "text")
    assert only.key == "maxout/mmimdb"
    assert only.to_json() == {"space": "maxout", "variant": "mmimdb"}
    assert MMIMDB.taps(only) == (0, 1)
    assert MMIMDB.state_shapes(only) == ((128,), (256,))


def test_states_are_maxima_of_four_pieces_before_batch_norm_and_dropout():
    backbone = MEMES.build(MEMES.largest())
    with torch.no_grad():
        backbone.op_list[1][0].weight.uniform_(0.5, 2)
        x = torch.randn(4, 77)
        (first, second), logits = backbone.eval()(x)
        lin = backbone.op_list[0].lin
        rows = x @ lin.weight.T + lin.bias
        assert torch.allclose(first, torch.stack([rows[:, 4 * j : 4 * j + 4].amax(1) for j in range(128)], 1))
        assert torch.equal(second, backbone.op_list[2](backbone.op_list[1](first)))
        assert torch.equal(logits, backbone.hid2val(backbone.op_list[3](second)))
        assert logits.shape == (4, 3)
        # Dropout is at work in training, after the state that it follows.
        assert torch.equal(backbone.train().states(x, 1)[0], first)
        assert float((backbone.op_list[1](first) == 0).float().mean()) == pytest.approx(0.3, abs=0.1)


def test_batch_norm_is_charged_to_whoever_reads_the_state():
    layers = MMIMDB.layers(MMIMDB.largest())
    assert [[layer.key for layer in state] for state in layers.states] == [
        ["MaxoutLayer-input:300-in_ch:300-out_ch:128-pieces:4-use_bn:0"],
        ["MaxoutLayer-input:128-in_ch:128-out_ch:256-pieces:4-use_bn:1"],
    ]
    assert [layer.key for layer in layers.head] == ["NormLinearLayer-input:256-in_ch:256-out_ch:23"]
    for count in (1, 2):
        backbone = MMIMDB.build(MMIMDB.largest())
        backbone.truncate(count)
        charged = [layer_builders.get(layer.kind)(layer).module for state in layers.states[:count] for layer in state]
        assert sum(map(weights, charged)) == weights(backbone)


def test_a_backbone_is_its_layers_one_after_another():
    backbone, layers = MEMES.build(MEMES.largest()).eval(), MEMES.layers(MEMES.largest()).all()
    modules = [layer_builders.get(layer.kind)(layer).module for layer in layers]
    parts = list(backbone.op_list)
    for module, pair in zip(modules[1:], [(parts[1][0], parts[2]), (parts[3][0], backbone.hid2val)], strict=True):
        module.load_state_dict(nn.Sequential(*pair).state_dict())
    modules[0].load_state_dict(parts[0].state_dict())
    with torch.no_grad():
        y = torch.randn(2, 77)
        states, logits = backbone(y)
        for module, expected in zip(modules, [*states, logits], strict=True):
            y = module(y)
            assert torch.equal(y, expected)


def test_its_layers_can_be_profiled():
    layers = MEMES.reachable_layers()
    table = profile(layers, ProfileSettings(min_seconds=0.01, passes=1))
    assert set(table.layers) == {layer.key for layer in layers}


def test_harmonic_nas_charged_nothing_for_it():
    assert MMIMDB.published_layers(MMIMDB.largest()) == ()
    assert MMIMDB.reachable_published_layers() == set()


def test_what_does_not_fit_is_refused():
    with pytest.raises(SpaceError, match=r"unknown variant 'avmnist' of maxout; known: memes, mmimdb"):
        space_for("maxout", "avmnist", (300,), 23)
    with pytest.raises(SpaceError, match=r"needs vectors as inputs.*\(1, 28, 28\)"):
        space_for("maxout", "memes", (1, 28, 28), 3)
    with pytest.raises(SpaceError, match="does not belong to maxout/memes"):
        MEMES.layers(MMIMDB.largest())
    with pytest.raises(SpaceError, match="unknown entry 'depth'"):
        MEMES.parse({"space": "maxout", "variant": "memes", "depth": [2]})
    with pytest.raises(SpaceError, match="'variant' is 'mmimdb', not 'memes'"):
        MEMES.parse(MMIMDB.largest().to_json())
    backbone = MEMES.build(MEMES.largest())
    backbone.truncate(1)
    with pytest.raises(SpaceError, match="truncated"):
        backbone(torch.randn(2, 77))
    with pytest.raises(SpaceError, match="has 1 states, not 2"):
        backbone.states(torch.randn(2, 77), 2)


def sentences(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids between the marks of start and end, zeros after them; a class uses more ids of its own third."""
    generator = torch.Generator().manual_seed(count)
    labels = torch.arange(count) % 3
    lengths = torch.randint(8, 76, (count, 1), generator=generator)
    ids = torch.randint(1, 49_406, (count, 77), generator=generator)
    own = 1 + labels[:, None] * 16_400 + torch.randint(0, 16_400, (count, 77), generator=generator)
    ids = torch.where(torch.rand(count, 77, generator=generator) < 0.6, own, ids)
    ids = torch.where(torch.arange(77) < lengths, ids, 0)
    ids[:, 0] = 49_406
    ids.scatter_(1, lengths, 49_407)
    return ids.float(), labels


def test_raw_token_ids_are_learned_in_plain_training():
    inputs, labels = sentences(600)
    with seeded(0):
        supernet = MEMES.supernet()
    runs: list[bool] = []
    supernet.register_forward_hook(lambda *_: runs.append(supernet.training))
    recipe = MEMES.supernet_recipe().model_copy(update={"epochs": 12})
    train_supernet(supernet, HeldSamples((inputs,), labels), recipe, seed=0, progress=Progress(), kind="text")
    assert len(runs) == 12 * 10  # no students: the only network runs once a step
    backbone = supernet.extract(MEMES.largest())
    recalibrate(backbone, [inputs])
    unseen, expected = sentences(300)
    with torch.no_grad():
        assert float((backbone(unseen)[1].argmax(1) == expected).float().mean()) > 0.75


def test_same_seed_same_weights():
    inputs, labels = sentences(64)

    def trained(seed: int) -> torch.Tensor:
        with seeded(derive_seed("weights")):
            supernet = MEMES.supernet()
        recipe = MEMES.supernet_recipe().model_copy(update={"epochs": 1})
        train_supernet(supernet, HeldSamples((inputs,), labels), recipe, seed=seed, progress=Progress(), kind="text")
        return supernet.hid2val.weight

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_every_variant_has_a_recipe():
    for name, row in MAXOUT_VARIANTS.items():
        assert MaxoutSpace(name, (10,), 2).supernet_recipe() == row.recipe
