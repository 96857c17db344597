"""Topology: distances → pair of filtrations → barcode → loss. Knows nothing of images or generators.

    from ganwalk.rtd import RTDLoss, cross_barcode, distance_matrix, rtd

    loss = rtd(P, Q)                                        # two batches (n, …) of matching points
    losses = RTDLoss()(P, shifted)                          # (b,): b batches (b, n, …), all against P
    barcode = cross_barcode(distance_matrix(P), distance_matrix(Q), mode="min")

Points and distances are tensors, arrays or lists of numbers; what is given no tensor returns arrays or floats.

cross_barcode(w, v, mode="min"|"max"|"symmetric", engine="relative"|"ripser") -> Barcode · lite_barcode(w, v, mode)
RTDLoss(*, p=1.0, card=None, minimax=None, symmetric=True, normalize=0.9, over="all"|"positive",
        scale_gradient="exact"|"constant", ends="exact"|"immovable",
        variant="rtd"|"max-rtd"|"srtd"|"rtd-lite"|"max-rtd-lite"|"srtd-lite", engine="relative"|"ripser",
        threads=None)(P, Q) -> Tensor
    .from_distances(pairs, *, normalize=None) -> Tensor
rtd(P, Q, *, metric="euclidean", **options of RTDLoss) -> Tensor or number
rtd_from_distances(w, v, **options of RTDLoss, but normalize=None) -> Tensor or number
rtd_score(P, Q, *, batch=500, repeats=10, seed=0, …) -> Summary: mean and interval over random batches of large sets
nts_e(P, Q) · nts_m(P, Q) · linear_cka(P, Q): similarities
distance_matrix(points, metric="euclidean") · normalized(distances, q, over="all")
plot_barcode(barcode, path_or_axes, *, title="") · plot_barcodes(barcodes, path, *, titles=None, columns=4)
plot_matrix(values, names, path, *, title="")

The first call on a machine compiles the engine, which takes some seconds; numba keeps the result beside the package or,
where that is not writable, in the user's cache directory.

Names are imported when they are first used. Functions of arrays load torch only when they are given a tensor;
`ganwalk.rtd.choices`, for command lines, loads neither torch nor numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "Barcode": "ganwalk.rtd.barcode",
    "RTDLoss": "ganwalk.rtd.loss",
    "cross_barcode": "ganwalk.rtd.barcode",
    "distance_matrix": "ganwalk.rtd.distances",
    "linear_cka": "ganwalk.rtd.similarity",
    "lite_barcode": "ganwalk.rtd.barcode",
    "normalized": "ganwalk.rtd.distances",
    "nts_e": "ganwalk.rtd.similarity",
    "nts_m": "ganwalk.rtd.similarity",
    "plot_barcode": "ganwalk.rtd.plot",
    "plot_barcodes": "ganwalk.rtd.plot",
    "plot_matrix": "ganwalk.rtd.plot",
    "rtd": "ganwalk.rtd.divergence",
    "rtd_from_distances": "ganwalk.rtd.divergence",
    "rtd_score": "ganwalk.rtd.score",
}

__all__ = [
    "Barcode",
    "RTDLoss",
    "cross_barcode",
    "distance_matrix",
    "linear_cka",
    "lite_barcode",
    "normalized",
    "nts_e",
    "nts_m",
    "plot_barcode",
    "plot_barcodes",
    "plot_matrix",
    "rtd",
    "rtd_from_distances",
    "rtd_score",
]

if TYPE_CHECKING:
    from ganwalk.rtd.barcode import Barcode, cross_barcode, lite_barcode
    from ganwalk.rtd.distances import distance_matrix, normalized
    from ganwalk.rtd.divergence import rtd, rtd_from_distances
    from ganwalk.rtd.loss import RTDLoss
    from ganwalk.rtd.plot import plot_barcode, plot_barcodes, plot_matrix
    from ganwalk.rtd.score import rtd_score
    from ganwalk.rtd.similarity import linear_cka, nts_e, nts_m

__getattr__, __dir__ = names_from(__name__, _HOMES)
