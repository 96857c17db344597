"""What a loss moves between an accelerator and the CPU: matrices of distances cross once each way."""

import pytest
import torch

from ganwalk.rtd import RTDLoss, distance_matrix, normalized, rtd_from_distances
from tests.accelerator import DEVICE, accelerator

N = 24


def clouds(dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    P = torch.randn(N, 5, generator=rng)
    Q = P + torch.randn(N, 5, generator=rng)
    # Their distance cancels in the Gram matrix.
    Q[1] = Q[0] + 1e-3
    return P.to(dtype), Q.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("scale_gradient", ["exact", "constant"])
def test_distances_cross_once_and_gradients_once(monkeypatch, dtype, scale_gradient):
    loss = RTDLoss(scale_gradient=scale_gradient)
    leaves = [cloud.requires_grad_() for cloud in clouds(dtype)]
    expected = loss(leaves[0], [leaves[1], 2 * leaves[1] + leaves[0]])
    expected.sum().backward()
    with accelerator(monkeypatch) as traffic:
        P, Q = (cloud.to(DEVICE).requires_grad_() for cloud in clouds(dtype))
        others = [Q, 2 * Q + P]
        traffic.to_device.clear()
        value = loss(P, others)
        assert value.device == DEVICE
        assert [count for count in traffic.to_cpu if count >= N] == [N**2] * 3
        assert not [count for count in traffic.to_device if count >= N]
        traffic.to_cpu.clear()
        value.sum().backward()
        assert not [count for count in traffic.to_cpu if count >= N]
        assert [count for count in traffic.to_device if count >= N] == [N**2] * 3
        assert torch.allclose(value.cpu(), expected, rtol=1e-5)
        for ours, leaf in zip((P, Q), leaves, strict=True):
            assert ours.grad.dtype == dtype
            assert torch.allclose(ours.grad.cpu(), leaf.grad, rtol=1e-2, atol=1e-3)


def test_matrices_stay_where_their_points_are(monkeypatch):
    leaves = [cloud.requires_grad_() for cloud in clouds()]
    expected = rtd_from_distances(*(normalized(distance_matrix(leaf), 0.9) for leaf in leaves))
    expected.backward()
    with accelerator(monkeypatch):
        P, Q = (cloud.to(DEVICE).requires_grad_() for cloud in clouds())
        w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
        value = rtd_from_distances(w, v)
        assert w.device == v.device == value.device == DEVICE
        value.backward()
        assert value.item() == pytest.approx(expected.item(), rel=1e-5)
        assert torch.allclose(P.grad.cpu(), leaves[0].grad, rtol=1e-2, atol=1e-3)


def test_clouds_on_two_devices_are_refused(monkeypatch):
    P, Q = clouds()
    with accelerator(monkeypatch), pytest.raises(ValueError, match="the clouds lie on meta and cpu"):
        RTDLoss()(P.to(DEVICE), Q)
