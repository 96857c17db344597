"""The loss: its terms, options, batches, and its gradient against finite differences."""

import inspect
import subprocess
import sys

import pytest
import torch
from matplotlib.figure import Figure

import ganwalk.rtd
from ganwalk.rtd import (
    RTDLoss,
    cross_barcode,
    distance_matrix,
    normalized,
    plot_barcode,
    plot_barcodes,
    rtd,
    rtd_from_distances,
)


def clouds(n=14, d=3, noise=0.5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    P = torch.randn(n, d, generator=rng, dtype=torch.float64)
    return P, P + noise * torch.randn(n, d, generator=rng, dtype=torch.float64)


def term(w, v, mode, p=1):
    return cross_barcode(w, v, mode, engine="ripser").total(p)


@pytest.mark.parametrize("p", [1, 2])
def test_the_loss_is_half_the_sum_of_the_four_terms(p):
    P, Q = clouds()
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
    terms = {name: term(*pair, mode, p) for name, pair, mode in [
        ("min", (w, v), "min"), ("max", (w, v), "max"), ("min'", (v, w), "min"), ("max'", (v, w), "max")
    ]}  # fmt: skip
    half = 0.5 * sum(terms.values())
    assert rtd(P, Q, p=p).item() == pytest.approx(half, rel=1e-5)
    assert rtd(P, Q, p=p, symmetric=False).item() == pytest.approx(terms["min"] + terms["max"], rel=1e-5)
    assert rtd(P, Q, p=p, minimax=False).item() == pytest.approx((terms["min"] + terms["min'"]) / 2, rel=1e-5)


@pytest.mark.parametrize("noise", [0.1, 3.0])
@pytest.mark.parametrize("options", [{}, {"p": 2}, {"normalize": None}, {"minimax": False}, {"symmetric": False}])
def test_gradient_agrees_with_finite_differences(options, noise):
    P, Q = (cloud.requires_grad_() for cloud in clouds(n=9, noise=noise))
    assert torch.autograd.gradcheck(lambda P, Q: rtd(P, Q, **options), (P, Q), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("noise", [0.1, 3.0])
@pytest.mark.parametrize("options", [{}, {"card": 2}, {"minimax": False}, {"symmetric": False}])
def test_engines_agree_in_value_and_gradient(options, noise):
    P, Q = (cloud.float().requires_grad_() for cloud in clouds(n=24, noise=noise))
    others = [Q, (2 * Q + P).detach().requires_grad_()]
    found = []
    for engine in ("relative", "ripser"):
        values = RTDLoss(engine=engine, **options)(P, others)
        w, v = distance_matrix(P), distance_matrix(Q)
        one = rtd_from_distances(w, v, normalize=0.9, engine=engine, **options)
        assert values[0].item() == one.item() == rtd(P, Q, engine=engine, **options).item() > 0
        found.append([values, *torch.autograd.grad(values @ torch.tensor([1.0, 2.0]), (P, *others))])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("options", [{}, {"p": 2}, {"normalize": 0.5}, {"symmetric": False}])
def test_a_constant_scale_is_not_differentiated(options):
    leaves = [cloud.requires_grad_() for cloud in clouds()]
    distances = [distance_matrix(cloud) for cloud in leaves]
    q = options.get("normalize", 0.9)
    scaled = [w / torch.quantile(w.detach(), q) for w in distances]
    plain = {name: value for name, value in options.items() if name != "normalize"}
    expected = rtd_from_distances(*scaled, **plain)
    gradients = torch.autograd.grad(expected, leaves, retain_graph=True)
    constant = {**options, "scale_gradient": "constant"}
    for value in (rtd(*leaves, **constant), rtd_from_distances(*distances, **{**constant, "normalize": q})):
        assert value.item() == pytest.approx(expected.item(), rel=1e-12)
        found = torch.autograd.grad(value, leaves, retain_graph=True)
        assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(found, gradients, strict=True))
        exact = torch.autograd.grad(rtd(*leaves, **options), leaves)
        assert not torch.allclose(found[0], exact[0], rtol=1e-3)


def test_duplicate_points_have_a_finite_gradient():
    P, Q = clouds()
    P[3] = P[5]
    P.requires_grad_(), Q.requires_grad_()
    rtd(P, Q).backward()
    assert torch.isfinite(P.grad).all() and torch.isfinite(Q.grad).all()


def test_equal_clouds_have_divergence_zero():
    P, _ = clouds()
    for cloud in (P, P.float(), torch.zeros(5, 2)):
        assert rtd(cloud, cloud.clone()).item() == 0


def test_scale_position_and_a_common_permutation_do_not_matter():
    P, Q = clouds(n=20)
    value = rtd(P, Q)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert rtd(P[order], Q[order]).item() == pytest.approx(value.item(), rel=1e-9)
    assert rtd(3 * P + 5, 0.1 * Q).item() == pytest.approx(value.item(), rel=1e-6)


def test_card_keeps_the_longest_bars():
    P, Q = clouds(n=20, noise=2)
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
    lengths = cross_barcode(w, v).lengths
    assert len(lengths) > 3
    loss = RTDLoss(card=3, minimax=False, symmetric=False)
    assert loss(P, Q).item() == pytest.approx(lengths[:3].sum(), rel=1e-9)


@pytest.mark.parametrize("threads", [1, 2, None])
def test_a_batch_of_clouds_equals_its_pairs(threads):
    P, Q = clouds()
    others = [Q.clone().requires_grad_(), (2 * Q + P).requires_grad_(), P.clone().requires_grad_()]
    together = RTDLoss(threads=threads)(P, others)
    one_by_one = torch.stack([rtd(P, other) for other in others])
    assert torch.equal(together, one_by_one)
    gradients = torch.autograd.grad(together.sum(), others)
    expected = torch.autograd.grad(one_by_one.sum(), others)
    assert all(torch.allclose(a, b) for a, b in zip(gradients, expected, strict=True))


def test_bits_are_the_same_for_any_number_of_threads():
    # So many points that terms of one pair are shared among threads.
    leaves = [cloud.requires_grad_() for cloud in clouds(n=100)]
    others = [leaves[1], 2 * leaves[1].detach() + leaves[0].detach()]
    found = []
    for threads in (1, 2, 3, 16):
        values = RTDLoss(threads=threads)(leaves[0], others)
        found.append([values, *torch.autograd.grad(values.sum(), leaves)])
    for each in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(each, found[0], strict=True))


def test_stacked_clouds_and_sequences_of_pairs_equal_their_pairs():
    P, Q = clouds(n=12)
    others = torch.stack([Q, 2 * Q + P, P]).requires_grad_()
    first = P.clone().requires_grad_()
    expected = torch.stack([rtd(first, other) for other in others])
    for together in (RTDLoss()(first, others), RTDLoss()([first] * 3, others), RTDLoss()([first] * 3, list(others))):
        assert torch.equal(together, expected)
        ours, theirs = (torch.autograd.grad(x @ x.new_tensor([1.0, 2, 3]), (first, others), retain_graph=True)
                        for x in (together, expected))  # fmt: skip
        assert all(torch.allclose(a, b) for a, b in zip(ours, theirs, strict=True))
    # Points of another shape are a cloud, not a stack.
    assert rtd(P, Q.view(12, 3, 1)).item() == pytest.approx(rtd(P, Q).item())


@pytest.mark.parametrize("normalize", [None, 0.9])
def test_distances_can_be_given_with_their_gradient(normalize):
    P, Q = clouds(n=8)
    leaves = [distance_matrix(cloud).requires_grad_() for cloud in (P, Q)]

    def symmetric(w, v):
        return rtd_from_distances(*((m.triu(1) + m.triu(1).T) for m in (w, v)), normalize=normalize)

    assert symmetric(*leaves).item() == pytest.approx(rtd(P, Q, normalize=normalize).item(), rel=1e-12)
    assert torch.autograd.gradcheck(symmetric, leaves, eps=1e-7, atol=1e-5)
    with pytest.raises(ValueError, match="not symmetric"):
        rtd_from_distances(leaves[0].detach().triu(), leaves[1])


def test_second_derivatives_are_refused_rather_than_wrong():
    # They would lack the part that comes from the distances.
    P, Q = (cloud.requires_grad_() for cloud in clouds())
    (gradient,) = torch.autograd.grad(rtd(P, Q), P, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()


def test_precisions_may_differ():
    P, Q = clouds()
    value = rtd(P.float(), Q)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(rtd(P, Q).item(), rel=1e-4)


def test_images_and_every_floating_type():
    rng = torch.Generator().manual_seed(0)
    P = torch.rand(8, 3, 5, 5, generator=rng)
    Q = torch.rand(8, 3, 5, 5, generator=rng)
    expected = rtd(P.double(), Q.double()).item()
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float16, 0.02), (torch.bfloat16, 0.2)):
        cloud = P.to(dtype, copy=True).requires_grad_()
        value = rtd(cloud, Q.to(dtype))
        value.backward()
        assert value.item() == pytest.approx(expected, rel=tolerance)
        assert cloud.grad.dtype == dtype and torch.isfinite(cloud.grad).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_clouds(n):
    P, Q = (cloud.requires_grad_() for cloud in clouds(n=n))
    value = rtd(P, Q)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(P.grad).all()


@pytest.mark.parametrize("q", [0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_normalisation_is_by_the_quantile_of_all_entries(n, q):
    w = distance_matrix(clouds(n=n)[0])
    scale = torch.quantile(w, q)
    expected = w / scale if scale > 0 else w
    assert torch.allclose(normalized(w, q), expected)


def test_distances_of_close_points_keep_their_digits():
    P = torch.tensor([[1.0, 1.0], [1.0, 1.0 + 2**-20], [3.0, 0.0], [1.0, 1.0]])
    w = distance_matrix(P)
    assert w[0, 1] == 2**-20 and w[0, 3] == 0 and torch.equal(w, w.T) and not w.diagonal().any()


def test_bad_clouds_and_options_are_refused():
    P, Q = clouds()
    with pytest.raises(ValueError, match="different numbers of points: 14 and 13"):
        rtd(P, Q[:13])
    with pytest.raises(ValueError, match="not finite"):
        rtd(P, Q * float("nan"))
    with pytest.raises(ValueError, match="no pair"):
        RTDLoss()(P, [])
    with pytest.raises(ValueError, match="2 clouds P for 1 clouds Q"):
        RTDLoss()([P, P], [Q])
    unknown = ({"scale_gradient": "none"}, {"engine": "dionysus"})
    for options in ({"p": 0}, {"card": 0}, {"normalize": 1.5}, {"threads": 0}, *unknown):
        for function, given in ((RTDLoss, ()), (rtd, (P, Q)), (rtd_from_distances, (P, P))):
            with pytest.raises(ValueError, match=next(iter(options))):
                function(*given, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"p": 2.0},
        {"card": 3},
        {"minimax": False},
        {"symmetric": False},
        {"normalize": None},
        {"over": "positive"},
        {"ends": "immovable"},
        {"variant": "srtd"},
        {"scale_gradient": "constant"},
        {"engine": "ripser"},
        {"threads": 1},
    ],
)
def test_functions_have_every_option_of_the_loss(options):
    given = set(inspect.signature(RTDLoss).parameters)
    assert given | {"P", "Q", "metric"} == set(inspect.signature(rtd).parameters)
    assert given | {"w", "v"} == set(inspect.signature(rtd_from_distances).parameters)
    P, Q = (torch.randn(12, 3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    P.requires_grad_()
    expected = RTDLoss(**options)(P, Q)
    assert torch.equal(rtd(P, Q, **options), expected)
    scale = options.get("normalize", 0.9)
    distances = [distance_matrix(cloud) for cloud in (P, Q)]
    assert torch.equal(rtd_from_distances(*distances, **{"normalize": scale, **options}), expected)
    of_function, of_loss = (torch.autograd.grad(value, P)[0] for value in (rtd(P, Q, **options), expected))
    assert torch.equal(of_function, of_loss)
    if "threads" not in options and "engine" not in options:
        usual = rtd(P, Q)
        assert usual != expected or not torch.equal(torch.autograd.grad(usual, P)[0], of_loss)


def test_minimising_it_brings_shapes_together():
    P, Q = clouds(n=12, noise=2)
    Q.requires_grad_()
    optimizer = torch.optim.Adam([Q], 0.05)
    before = rtd(P, Q).item()
    for _ in range(60):
        optimizer.zero_grad()
        rtd(P, Q).backward()
        optimizer.step()
    assert rtd(P, Q).item() < 0.3 * before


def test_barcodes_are_drawn(tmp_path):
    P, Q = clouds()
    barcode = cross_barcode(distance_matrix(P), distance_matrix(Q))
    plot_barcode(barcode, tmp_path / "one.png", title="one")
    empty = cross_barcode(distance_matrix(P), distance_matrix(P))
    plot_barcodes([barcode, empty] * 3, tmp_path / "many.png", titles=list("abcdef"))
    axes = Figure().subplots()
    plot_barcode(barcode, axes, title="two")
    assert axes.get_title() == "two"
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("one.png", "many.png"))
    with pytest.raises(ValueError, match="no barcode"):
        plot_barcodes([], tmp_path / "none.png")
    with pytest.raises(ValueError, match="titles"):
        plot_barcodes([barcode], tmp_path / "x.png", titles=["a", "b"])


def test_choices_load_neither_torch_nor_numba():
    code = (
        "import sys; from ganwalk.rtd.choices import ENGINES, SCALE_GRADIENTS; import ganwalk.rtd; "
        "print([name for name in ('torch', 'numba', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in ganwalk.rtd.__all__:
        assert getattr(ganwalk.rtd, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'homology'"):
        _ = ganwalk.rtd.homology
