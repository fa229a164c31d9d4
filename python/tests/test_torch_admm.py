"""Is ADMM what its equations say, and does pruning lose less after it?"""

import copy

import esnsim
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from esnsim import torch as training
from torch import nn
from torch_digits import EXAMPLE, accuracy, digits, seeded, train


def part_that_pruning_takes(model):
    """How much of `‖W‖²` is in what is pruned: without a pull, the target is the pruned weights."""
    return training.AdmmPruner(model, EXAMPLE, fraction=0.3, scope="layer").step()


def test_admm_loses_less_than_pruning_at_once():
    (images, labels), _ = digits()
    base, kept, taken = seeded(epochs=15), {}, {}
    for way in ("at once", "admm"):
        torch.manual_seed(5)
        model = copy.deepcopy(base)
        if way == "admm":
            pruner = training.AdmmPruner(model, EXAMPLE, fraction=0.3, scope="layer", rho=0.3)
            train(model, 12, rate=0.02, penalty=pruner.penalty, at_epoch_end=pruner.step)
            taken[way] = part_that_pruning_takes(model)
            pruned = pruner.finish()
        else:
            train(model, 12, rate=0.02)
            taken[way] = part_that_pruning_takes(model)
            pruned = training.prune_filters(model, EXAMPLE, fraction=0.3, scope="layer")
        assert (pruned.done, pruned.asked) == (21, 21)
        training.reestimate(model, [images])
        kept[way] = accuracy(model)
    assert accuracy(base) > 0.9
    assert kept["admm"] > kept["at once"] + 0.2, kept
    # The weakest filters are brought near 0 before they go.
    assert taken["admm"] < 0.2 * taken["at once"], taken


def test_admm_is_what_its_equations_say():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.Flatten(), nn.Linear(144, 3, bias=False))
    pruner = training.AdmmPruner(model, EXAMPLE, fraction=0.5, rho=0.5)
    def weakest(weight):
        return weight.flatten(1).square().sum(dim=1).argsort()[:2]
    weight = model[0].weight
    target, pull = weight.detach().clone(), torch.zeros_like(weight)
    target[weakest(target)] = 0
    gone = (target == 0).all(dim=(1, 2, 3)).repeat_interleave(36)
    head, head_pull = model[2].weight.detach().clone(), torch.zeros_like(model[2].weight)
    head[:, gone] = 0
    for _ in range(3):
        expected = 0.25 * ((weight - target + pull).square().sum() + (model[2].weight - head + head_pull).square().sum())
        assert pruner.penalty().item() == pytest.approx(expected.item())
        pruner.penalty().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.4 * parameter.grad
                parameter.grad = None
        target = (weight + pull).detach().clone()
        target[weakest(target)] = 0
        gone = (target == 0).all(dim=(1, 2, 3)).repeat_interleave(36)
        head = (model[2].weight + head_pull).detach().clone()
        head[:, gone] = 0
        pull, head_pull = pull + (weight - target).detach(), head_pull + (model[2].weight - head).detach()
        distance = ((weight - target).square().sum() + (model[2].weight - head).square().sum())
        assert pruner.step() == pytest.approx((distance / sum(p.square().sum() for p in model.parameters())).item())
    other = training.AdmmPruner(model, EXAMPLE, fraction=0.5)
    other.load_state_dict(pruner.state_dict())
    assert other.penalty().item() == pruner.penalty().item() and other.rho == 0.5
    state = pruner.state_dict()
    before = state["target"]["0.weight"].clone()
    with torch.no_grad():
        model[0].weight.add_(1.0)
    pruner.step()
    assert torch.equal(state["target"]["0.weight"], before) and not torch.equal(pruner.state_dict()["target"]["0.weight"], before)
    with pytest.raises(esnsim.BadArgument, match=r"has '0.weight' of shape \[4, 1, 3, 3\]; the model has \[4, 1, 5, 5\]"):
        wide = nn.Sequential(nn.Conv2d(1, 4, 5, padding=1, bias=False), nn.Flatten(), nn.Linear(144, 3, bias=False))
        training.AdmmPruner(wide, EXAMPLE, fraction=0.5).load_state_dict(state)
    with pytest.raises(esnsim.BadArgument, match="the state is that of layers"):
        other = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        training.AdmmPruner(other, EXAMPLE, fraction=0.1).load_state_dict(pruner.state_dict())


def tied():
    """Two layers of one weight, of which the first alone has a bias."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6, bias=False), nn.ReLU(), nn.Linear(6, 3))
    model[2].weight = model[0].weight
    return model


def test_a_weight_of_two_layers_is_pulled_and_pruned_once():
    model = tied()
    pruner = training.AdmmPruner(model, torch.zeros(1, 6), fraction=0.4, rho=1.0)
    targets = pruner.state_dict()["target"]
    assert list(targets) == ["0.weight", "0.bias", "4.weight", "4.bias"]
    shared = targets["0.weight"]
    gone = [filter for filter in range(6) if not shared[filter].any()]
    assert gone == model[0].weight.detach().square().sum(dim=1).argsort()[:len(gone)].sort().values.tolist() and gone
    far = sum((dict(model.named_parameters())[name].detach() - target).square().sum() for name, target in targets.items())
    assert pruner.penalty().item() == pytest.approx(0.5 * float(far))
    pruner.step()
    assert pruner.finish().filters["0"] == gone and not model[2].weight[gone].any()


def quantized():
    model = seeded()
    training.quantize(model)
    return model


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.BadArgument, lambda: training.AdmmPruner(seeded(), EXAMPLE, fraction=0.1, rho=0), "rho is 0"),
    (esnsim.BadArgument, lambda: training.AdmmPruner(seeded(), EXAMPLE, fraction=0.1, rho=float("inf")), "rho is inf"),
    (TypeError, lambda: training.AdmmPruner(seeded(), EXAMPLE, fraction=0.1, rho="0.3"), "rho is '0.3'; expected a number"),
    (TypeError, lambda: training.AdmmPruner(seeded(), EXAMPLE, count=2.5), "count is 2.5; expected a whole number"),
    (esnsim.BadArgument, lambda: training.AdmmPruner(quantized(), EXAMPLE, fraction=0.1), "layer conv is quantized"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
