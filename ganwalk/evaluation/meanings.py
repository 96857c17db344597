"""What every score says, in a line: for reports and tables that people read."""

from __future__ import annotations

MEANINGS = {
    "mean_cosine": "mean |cosine| with the true axes, optimal assignment",
    "mcc": "mean correlation of coordinates with true factors, optimal assignment",
    "overall": "how near this is to one direction for each factor: at 1, one alone moves it, and moves nothing else",
    "disentanglement": "each direction moves one factor (DCI's entropy form)",
    "completeness": "each factor is moved by one direction (DCI's entropy form)",
    "gap": "how far each factor's strongest direction is ahead of its second",
    "coverage": "share of factors that are most of what some direction does",
    "rtd": "RTD of shifted batches, lower keeps the shape better (at unequal image changes)",
    "displacement": "how much a shift changes the image; neither more nor less is better",
    "straightness": "how straight images move along a direction; at 1, every step makes the same change",
    "interaction": "how much two directions' changes depend on each other, lower is better",
    "distinctness": "how different the changes are that different directions make; at 1, no two are alike",
    "reconstructor_accuracy": "share of shifts whose direction a small network tells from two images",
    "reconstructor_amplitude_error": "error of that network about the amplitude",
}
