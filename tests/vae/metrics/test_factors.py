"""What factors may be: classes of any type; continuous ones are binned on request and never taken as classes."""

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from vae import metrics
from vae.metrics import irs, kl_per_dimension, mig, mutual_information, reconstruction, sap_continuous, score_codes, udr
from vae.metrics.arrays import labelled

FEW = {"train_votes": 200, "eval_votes": 100}
FEW_POINTS = {"train_points": 200, "eval_points": 100}
OF_ONE_SET = {
    "mig": {},
    "mig_sup": {},
    "modularity": {},
    "irs": {},
    "mutual_information": {},
    "factor_vae_score": FEW,
    "beta_vae_score": FEW_POINTS,
}
OF_TWO_SETS = {
    "sap": {},
    "explicitness": {},
    "dci": {"rounds": 2},
    "dci_es": {"trees": 2},
    "score_codes": {"level": "quick", "threads": 1},
}


def call(name, codes, factors, **options):
    function = getattr(metrics, name)
    if name in OF_ONE_SET:
        return function(codes, factors, **OF_ONE_SET[name], **options)
    return function(codes, factors, codes, factors, **OF_TWO_SETS[name], **options)


@pytest.fixture(scope="module")
def continuous():
    """Codes that are the factors with some noise, factors real-valued in [0, 1]: (900, 2)."""
    rng = np.random.default_rng(0)
    factors = rng.random((900, 2))
    return factors + rng.normal(0, 0.02, factors.shape), factors


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
@pytest.mark.parametrize("change", [lambda f: f, lambda f: f.astype(np.float32), lambda f: np.argsort(f, axis=0)])
def test_values_that_do_not_repeat_are_never_classes(continuous, name, change):
    codes, factors = continuous
    mixed = np.stack([np.arange(900) % 3, change(factors)[:, 1]], axis=1)
    with pytest.raises(GanwalkError, match=r"no two rows share a value of factor 1: .* by factor_bins=10") as caught:
        call(name, codes, mixed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
def test_bins_make_classes_of_them(continuous, name):
    codes, factors = continuous
    binned = np.floor(10 * (factors - factors.min(axis=0)) / np.ptp(factors, axis=0)).clip(max=9).astype(int)
    expected, found = call(name, codes, binned), call(name, codes, factors, factor_bins=10)
    if isinstance(expected, dict):
        assert expected == found and found["mig"] > 0.6
    elif isinstance(expected, float | np.ndarray):
        assert np.array_equal(expected, found)
    else:
        assert all(np.array_equal(getattr(expected, field), getattr(found, field)) for field in vars(expected))


def test_the_bins_are_those_of_the_training_rows(continuous):
    codes, factors = continuous
    inner = np.abs(factors - 0.5).max(axis=1) < 0.4
    found = metrics.dci(codes[inner], factors[inner], codes, factors, rounds=5, factor_bins=4)
    # Rows beyond the outer edges belong to the outer bins.
    assert found.informativeness > 0.85


def test_partly_continuous_and_finely_rounded_factors_are_refused(continuous):
    codes, factors = continuous
    for column in (np.where(factors[:, 0] < 0.5, 0, factors[:, 0]), factors[:, 0].round(3)):
        with pytest.raises(GanwalkError, match=r"only \d+ of 900 rows share a value of factor 0"):
            mig(codes, column[:, None])
    assert mig(codes, factors.round(1)) > 0.6


def test_bins_leave_the_classes_and_are_checked(continuous, grid):
    codes, factors = continuous
    assert mig(grid.astype(float), grid, factor_bins=5) == mig(grid.astype(float), grid)
    with pytest.raises(GanwalkError, match="factor_bins must be at least 2, not 1"):
        mig(codes, factors, factor_bins=1)
    with pytest.raises(GanwalkError, match="no two rows share a value of factor 0"):
        mig(codes, factors, factor_bins=100_000)


@pytest.mark.parametrize(
    "least", [np.uint64(2**64 - 3), np.uint64(2**63 - 1), np.int64(-(2**63)), np.int8(-128), np.uint8(253)]
)
def test_integers_of_any_type_are_told_apart(least):
    factors = (least + np.arange(3).astype(least.dtype))[np.arange(300) % 3][:, None]
    codes = np.random.default_rng(0).normal(0, 0.1, (300, 1)) + np.arange(300)[:, None] % 3
    assert mig(codes, factors) == mig(codes, np.arange(300)[:, None] % 3)
    found = labelled(codes, factors)
    assert found.values[0].tolist() == [int(least) + k for k in range(3)]
    assert np.array_equal(found.test(codes[::-1], factors[::-1])[1], found.labels[::-1])


def test_squared_correlation_takes_factors_as_numbers(continuous):
    assert sap_continuous(*continuous) > 0.9
    with pytest.raises(GanwalkError, match="no factor varies"):
        sap_continuous(continuous[0], np.ones((900, 1)))


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
def test_booleans_are_two_classes(grid, name):
    codes = grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)
    for change in (lambda f: f, lambda f: f.tolist(), torch.from_numpy):
        found, expected = call(name, codes, change(grid > 1)), call(name, codes, (grid > 1).astype(float))
        assert repr(found) == repr(expected)
    assert sap_continuous(codes, grid > 1) == sap_continuous(codes, (grid > 1).astype(int))


@pytest.mark.parametrize("halved", ["training", "test"])
def test_values_in_half_precision_are_those_of_double(grid, halved):
    factors = 0.1 * grid[:, :1] + 0.1
    sets = [factors.astype(np.float16), factors] if halved == "training" else [factors, factors.astype(np.float16)]
    codes = grid[:, :1] + np.random.default_rng(0).normal(0, 0.05, (len(grid), 1))
    assert metrics.dci(codes, sets[0], codes, sets[1], rounds=5, threads=1).informativeness > 0.99
    halves = [torch.from_numpy(part) for part in sets]
    assert metrics.dci(codes, halves[0], codes, halves[1], rounds=5, threads=1).informativeness > 0.99


def test_what_is_masked_is_missing(grid):
    masked = np.ma.masked_equal(grid, 2)
    for arrays in ((masked.astype(float), grid), (grid.astype(float), masked)):
        with pytest.raises(GanwalkError, match=r"column 0 has missing or infinite values in .* row"):
            mig(*arrays)
    assert mig(np.ma.asarray(grid.astype(float)), np.ma.asarray(grid)) == mig(grid.astype(float), grid)


@pytest.mark.parametrize("names", [["a", "a", "b"], [1, "1", "b"]])
def test_columns_of_frames_are_told_apart_by_their_place(grid, names):
    codes = grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)
    frames = [Places(part, names) for part in (codes, grid)]
    assert np.array_equal(mutual_information(*frames), mutual_information(codes, grid))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: z * [1e200, 1], r"codes must lie within ±1e\+18: column 0 reaches \d\.\d+e\+200: scale it"),
        (lambda z: z * [1, 1e-200], "codes must vary by 1e-150 or more: column 1 varies by less: scale it"),
        (lambda z: (z * 3e37).astype(np.float32), r"codes must lie within ±1e\+18"),
    ],
)
def test_codes_whose_squares_are_no_numbers_are_refused(grid, change, message):
    codes = change(np.random.default_rng(0).normal(size=(len(grid), 2)))
    for name in ("mig", "score_codes"):
        with pytest.raises(GanwalkError, match=message):
            call(name, codes, grid)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mig", {"bins": 0}, "bins must be at least 1, not 0"),
        ("modularity", {"bins": -1}, "bins must be at least 1, not -1"),
        ("info_mc", {"neighbours": 0}, "neighbours must be at least 1, not 0"),
        ("info_mc", {"neighbours": 1200}, "neighbours must be fewer than the 1200 rows, not 1200"),
        ("factor_vae_score", {"eval_votes": 0}, "eval_votes must be at least 1, not 0"),
        ("factor_vae_score", {"train_votes": 0}, "train_votes must be at least 1, not 0"),
        ("beta_vae_score", {"eval_points": 0}, "eval_points must be at least 1, not 0"),
        ("beta_vae_score", {"seed": -1}, "seed must be at least 0, not -1"),
        ("dci_es", {"trees": 0}, "trees must be at least 1, not 0"),
        ("dci", {"rounds": 0}, "rounds must be at least 1, not 0"),
        ("sap", {"C": 0}, "C must be above 0, not 0"),
        ("irs", {"quantile": 2}, "quantile must be between 0 and 1, not 2"),
        ("score_codes", {"seed": -1}, "seed must be at least 0, not -1"),
    ],
)
def test_options_are_checked(grid, name, options, message):
    sets = (grid.astype(float), grid) * (2 if name in OF_TWO_SETS else 1)
    with pytest.raises(GanwalkError, match=message):
        getattr(metrics, name)(*sets, **options)


def test_options_of_metrics_without_factors_are_checked(grid):
    codes, ones = grid.astype(float), np.ones(3)
    with pytest.raises(GanwalkError, match="unknown similarity 'foo': choose from lasso, spearman"):
        udr([codes, codes], [ones, ones], similarity="foo")
    with pytest.raises(GanwalkError, match="rows must be at least 2, not 0"):
        metrics.dhsic(codes, rows=0)


@pytest.mark.parametrize(("name", "options"), [("sap", {}), ("dci", {"threads": 1}), ("dci_es", {"threads": 1})])
@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_codes_far_from_zero_are_scored_as_those_around_it(grid, name, options, offset):
    codes = grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)
    found, expected = (call(name, part, grid, **options) for part in (codes + offset, codes - codes.mean(axis=0)))
    for field in {"dci": ("disentanglement", "informativeness"), "dci_es": ("explicitness",)}.get(name, ()):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), abs=0.02)
    assert name != "sap" or (found == pytest.approx(expected, abs=1e-3) and found > 0.4)


def test_tensors_are_detached(grid):
    codes = (grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)).astype(np.float32)
    tracked = torch.from_numpy(codes).requires_grad_()
    factors = torch.from_numpy(grid)
    assert mig(tracked, factors) == mig(codes, grid) and irs(tracked, factors) == irs(codes, grid)
    assert mig(list(tracked), factors) == mig(codes, grid)
    assert mig(tracked.bfloat16(), factors) == mig(tracked.bfloat16().float(), factors)
    assert np.array_equal(mutual_information(tracked, factors), mutual_information(codes, grid))
    two = [part[::2] for part in (tracked, factors)]
    assert score_codes(tracked, factors, *two, level="quick", threads=1)["mig"] == mig(codes, grid)
    assert np.array_equal(kl_per_dimension(tracked, tracked), kl_per_dimension(codes, codes))
    ones = torch.ones(3, requires_grad=True)
    assert np.array_equal(udr([tracked, codes], [ones, ones]).scores, udr([codes, codes], [np.ones(3)] * 2).scores)
    images = tracked.sigmoid()
    assert reconstruction(images, images).psnr == pytest.approx(100)


WITH_NUMBERS = {"sap": {}, "explicitness": {}, "dci": {"rounds": 5}}


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_continuous_factors_have_estimators_of_their_own(continuous, name):
    codes, factors = continuous
    mixed = np.stack([factors[:, 0], np.arange(900) % 3], axis=1)
    held = np.concatenate([codes[:, :1], mixed[:, 1:] + 0.01 * codes], axis=1)
    function, options = getattr(metrics, name), {**WITH_NUMBERS[name], "continuous": True}
    for given in (factors, mixed):
        found = function(held, given, held, given, **options)
        assert np.isfinite(found if isinstance(found, float) else found.informativeness)
    # Classes are what they are without it.
    found = function(held, mixed[:, 1:], held, mixed[:, 1:], **options)
    expected = function(held, mixed[:, 1:], held, mixed[:, 1:], **WITH_NUMBERS[name])
    assert repr(found) == repr(expected)


def test_regression_by_hand(continuous):
    codes, factors = continuous
    numbers = factors[:, :1]
    # The first code has it, the second nothing: the gap is the squared correlation.
    correlation = np.corrcoef(codes[:, 0], numbers[:, 0])[0, 1] ** 2
    other = np.corrcoef(codes[:, 1], numbers[:, 0])[0, 1] ** 2
    assert metrics.sap(codes, numbers, codes, numbers, continuous=True) == pytest.approx(correlation - other)
    assert metrics.explicitness(numbers, numbers**3, numbers, numbers**3, continuous=True) == pytest.approx(1)
    # Pairs in order: with test rows 1, 2, 3 as 1, 3, 2 there are two of three.
    three = np.array([[0.1], [0.2], [0.3]])
    assert metrics.explicitness(numbers, numbers, three, three[[0, 2, 1]], continuous=True) == pytest.approx(2 / 3)
    constant = np.zeros_like(numbers)
    assert metrics.explicitness(constant, numbers, constant, numbers, continuous=True) == 0.5
    found = metrics.dci(codes, factors, codes, factors, rounds=20, continuous=True)
    assert found.disentanglement > 0.95 and found.completeness > 0.95 and found.informativeness > 0.9
    assert found.importance.shape == (2, 2)


def test_scores_of_continuous_factors_are_those_that_have_an_estimator(continuous):
    codes, factors = continuous
    found = score_codes(codes, factors, codes, factors, level="quick", continuous=True, threads=1)
    assert list(found) == [name for name in metrics.SCORES if name not in metrics.OF_CLASSES]
    assert found["info_modularity"] > 0.9 and found["dci_disentanglement"] > 0.9
    both = score_codes(codes, factors, codes, factors, level="quick", continuous=True, factor_bins=5, threads=1)
    assert list(both) == list(metrics.SCORES)
    mixed = np.stack([factors[:, 0], np.arange(900) % 3], axis=1)
    assert "mig" not in score_codes(codes, mixed, codes, mixed, level="quick", continuous=True, threads=1)
    assert metrics.continuous_factors(mixed).tolist() == [True, False]


@pytest.mark.parametrize("name", [*WITH_NUMBERS, "info_mc", "info_e", "score_codes", "scores_of_arrays"])
def test_a_mask_says_what_factors_are(continuous, name):
    codes, factors = continuous
    # Of these rows no more than a quarter hold a value of their own, and of the others more do.
    rounded = np.stack([np.arange(900) % 3, np.where(np.arange(900) % 5, 0, factors[:, 1])], axis=1)
    rare = np.stack([np.arange(900) % 3, np.where(np.arange(900) % 3, 0, factors[:, 1])], axis=1)
    numbers, classes = ([False, True], np.array([False, False]))

    def found(given, mask):
        function = getattr(metrics, name)
        sets = (codes, given) if name in ("info_mc", "info_e", "scores_of_arrays") else (codes, given, codes, given)
        few = metrics.MetricSettings(dci_rounds=2, train_batches=50, eval_batches=50, es_trees=2)
        options = {**WITH_NUMBERS, "score_codes": {"settings": few, "threads": 1}}.get(name, {})
        return function(*sets, continuous=mask, **options)

    for given, mask, other in ((rounded, numbers, True), (rare, classes, True)):
        own = found(given, mask)
        assert repr(own) != repr(found(given, other))
        if isinstance(own, dict):
            assert ("mig" in own) == (mask is classes)
    assert repr(found(rounded, classes)) == repr(found(rounded, False))
    with pytest.raises(GanwalkError, match="continuous must be one boolean, or one of each of the 2 factors"):
        found(rounded, [True])
    with pytest.raises(GanwalkError, match="no two rows share a value of factor 1"):
        found(factors, [True, False])


def test_factors_are_what_all_rows_say(continuous):
    """Each value three times: of the rows that are drawn, most would have no other with their value."""
    codes, factors = (np.repeat(part, 3, axis=0) for part in continuous)
    few = metrics.MetricSettings(train_rows=450, test_rows=100, dci_rounds=2, train_batches=50, eval_batches=50)
    for how in (False, True):
        found = score_codes(codes, factors, codes, factors, settings=few, continuous=how, threads=1)
        assert list(found) == list(metrics.SCORES)


class Frame:
    """What metrics ask of a table with named columns."""

    def __init__(self, **columns):
        self.data = columns
        self.columns = list(columns)

    def __getitem__(self, name):
        return self.data[name]

    def to_numpy(self):
        return np.array(list(self.data.values()), object).T

    @property
    def iloc(self):
        class Rows:
            def __getitem__(_, rows):
                return Frame(**{name: np.asarray(column)[rows] for name, column in self.data.items()})

        return Rows()


class Places:
    """A frame of pandas, as far as metrics ask it: several columns of one name are taken by their places."""

    def __init__(self, values, names):
        self.iloc, self.columns = values, names

    def __getitem__(self, name):
        found = self.iloc[:, [own == name for own in self.columns]]
        return found[:, 0] if found.shape[1] == 1 else found

    def to_numpy(self):
        return self.iloc


def test_frames_are_taken_by_their_columns(grid):
    codes = grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)
    frame = Frame(a=codes[:, 0], b=codes[:, 1].astype(object), c=codes[:, 2])
    text = np.array(["round", "square", "flat"])[grid[:, 0]].astype(object)
    factors = Frame(shape=text, size=grid[:, 1], on=grid[:, 2] > 1)
    expected = np.stack([grid[:, 0], grid[:, 1], grid[:, 2] > 1], axis=1)
    assert mig(frame, factors) == pytest.approx(mig(codes, expected))
    halves = [part.iloc[np.arange(start, 1200, 2)] for start in (0, 1) for part in (frame, factors)]
    found = metrics.dci(*halves, rounds=5)
    assert found.informativeness > 0.9
    many = metrics.MetricSettings(train_rows=300, test_rows=100, dci_rounds=2, train_batches=50, eval_batches=50)
    _, shapes = np.unique(text, return_inverse=True)
    numbered = np.stack([shapes, grid[:, 1], grid[:, 2] > 1], axis=1)
    plain = [part[start::2] for start in (0, 1) for part in (codes, numbered)]
    assert score_codes(*halves, settings=many, threads=1) == score_codes(*plain, settings=many, threads=1)
    with pytest.raises(GanwalkError, match="factor shape holds text, which is no number"):
        sap_continuous(frame, factors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda z, f: (Frame(a=np.array(["x"] * 9)), f),
            "codes must be finite numbers: column a holds text; leave it out",
        ),
        (
            lambda z, f: (Frame(a=np.where(np.arange(9) % 4 == 3, np.nan, 1.0)), f),
            r"codes must be finite: column a has missing or infinite values in 2 rows, the first of them row 3",
        ),
        (lambda z, f: (z, Frame(k=np.array([1, None] * 4 + [2], object))), "factors must be finite: column k .* row 1"),
        (lambda z, f: (z, Frame(k=np.array(["a", None] * 4 + ["b"], object))), "factors must be finite: column k"),
        (lambda z, f: (z, Frame(k=np.array([f"{i}" for i in range(9)]))), "share a value of factor k: leave it out"),
        (lambda z, f: (z, Frame()), "the frame has no columns"),
        (
            lambda z, f: (z * [np.nan, 1], f),
            "column 0 has missing or infinite values in 9 rows, the first of them row 0",
        ),
        (lambda z, f: (z, np.where(f == 2, np.inf, f)), r"column 0 has missing or infinite values in 3 rows, .* row 2"),
    ],
)
def test_messages_name_the_column(change, message):
    codes, factors = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9)[:, None] % 3
    with pytest.raises(GanwalkError, match=message) as caught:
        mig(*change(codes, factors))
    assert "\n" not in str(caught.value)
