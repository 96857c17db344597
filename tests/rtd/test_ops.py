"""The operators: as torch's own checks, torch.compile and vmap see them, and without values."""

from dataclasses import asdict

import pytest
import torch

from ganwalk.rtd import RTDLoss, distance_matrix, ops, rtd, rtd_from_distances
from ganwalk.rtd.settings import Settings


@pytest.fixture
def clouds():
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(10, 3, generator=rng).requires_grad_() for _ in range(2)]


@pytest.fixture
def batches():
    rng = torch.Generator().manual_seed(1)
    return [torch.randn(4, 10, 3, generator=rng).requires_grad_() for _ in range(2)]


@pytest.mark.slow
def test_torch_finds_no_fault_with_the_operators(clouds):
    torch.library.opcheck(ops.euclidean_distances, (clouds[0],))
    fields = asdict(Settings()).values()
    torch.library.opcheck(ops.divergence, (clouds, [0, 1], True, True, *fields))
    distances = [distance_matrix(cloud.detach()).requires_grad_() for cloud in clouds]
    torch.library.opcheck(ops.divergence, (distances, [0, 1], False, True, *fields))


@pytest.mark.parametrize(
    "function",
    [
        RTDLoss(variant="srtd"),
        lambda P, Q: rtd_from_distances(distance_matrix(P), distance_matrix(Q), normalize=0.9),
    ],
)
def test_the_whole_graph_is_compiled(clouds, function):
    # The compiler of torch 2.4 leaves the graph at what it does not know, such as dataclasses.
    whole = hasattr(torch.library, "register_vmap")
    compiled = torch.compile(lambda P, Q: 2 * function(P, Q), backend="eager", fullgraph=whole)
    value = compiled(*clouds)
    assert torch.equal(value, 2 * function(*clouds))
    found, expected = (torch.autograd.grad(each, clouds) for each in (value, 2 * function(*clouds)))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.skipif(not hasattr(torch.library, "register_vmap"), reason="torch 2.4 has no vmap of operators")
def test_vmap_equals_one_after_another(clouds, batches):
    vmap = torch.func.vmap
    weights = torch.arange(1.0, 5)

    def checked(together, one_by_one, leaves):
        assert torch.equal(together, one_by_one) and (together > 0).any()
        sums = (each.reshape(len(weights), -1).sum(dim=1) @ weights for each in (together, one_by_one))
        found, expected = (torch.autograd.grad(total, leaves) for total in sums)
        assert all(torch.allclose(a, b, rtol=1e-5) for a, b in zip(found, expected, strict=True))

    B, C = batches
    checked(vmap(rtd)(B, C), torch.stack([rtd(b, c) for b, c in zip(B, C, strict=True)]), (B, C))
    shared = vmap(rtd, in_dims=(None, 1))(clouds[0], C.transpose(0, 1))
    checked(shared, torch.stack([rtd(clouds[0], c) for c in C]), (clouds[0], C))
    checked(vmap(distance_matrix)(B), torch.stack([distance_matrix(b) for b in B]), (B,))
    nested = vmap(vmap(rtd))(B.reshape(2, 2, 10, 3), C.reshape(2, 2, 10, 3))
    assert torch.equal(nested.flatten(), vmap(rtd)(B, C))
    w, v = (vmap(distance_matrix)(each.detach()).requires_grad_() for each in batches)
    pairs = torch.stack([rtd_from_distances(*pair) for pair in zip(w, v, strict=True)])
    checked(vmap(rtd_from_distances)(w, v), pairs, (w, v))


def test_without_values_shapes_are_told(clouds):
    P, Q = (cloud.detach().to("meta").requires_grad_() for cloud in clouds)
    assert distance_matrix(P).shape == (10, 10) and distance_matrix(P).device.type == "meta"
    several = RTDLoss()(P, [Q, Q.double()])
    assert several.shape == (2,) and several.device.type == "meta" and several.dtype == torch.float32
    several.sum().backward()
    assert P.grad.shape == P.shape and P.grad.device.type == "meta"


def test_nothing_is_kept_where_no_gradient_is_asked_for(clouds):
    fields = asdict(Settings()).values()
    value, kept = ops.divergence([cloud.detach() for cloud in clouds], [0, 1], True, False, *fields)
    assert kept == [] and value.item() == rtd(*clouds).item()
    with torch.no_grad():
        assert not rtd(*clouds).requires_grad
