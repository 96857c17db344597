"""Topology: distances → pair of filtrations → barcode → loss. Knows nothing of images or generators.

from ganwalk.rtd import RTDLoss, cross_barcode, distance_matrix, rtd

loss = rtd(P, Q)                                        # two batches (n, …) of matching points
barcode = cross_barcode(distance_matrix(P), distance_matrix(Q), mode="min")
"""

from ganwalk.rtd.barcode import Barcode, cross_barcode
from ganwalk.rtd.distances import distance_matrix, normalized
from ganwalk.rtd.loss import RTDLoss, rtd
from ganwalk.rtd.plot import plot_barcode, plot_barcodes

__all__ = [
    "Barcode",
    "RTDLoss",
    "cross_barcode",
    "distance_matrix",
    "normalized",
    "plot_barcode",
    "plot_barcodes",
    "rtd",
]
