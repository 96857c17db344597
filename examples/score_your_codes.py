"""Scores codes of your own encoder against known factors: here codes that hold one factor each, and a rotation of them.

python examples/score_your_codes.py
"""

import numpy as np

from vae.metrics import SCORES, mutual_information, score_codes


def main() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, [3, 4, 6], size=(3000, 3))  # (N, F): one integer per value of a factor
    codes = factors / factors.std(axis=0) + 0.1 * rng.normal(size=factors.shape)  # (N, D), such as posterior means
    rotated = codes @ np.linalg.qr(rng.normal(size=(3, 3))).Q
    columns = []
    for representation in (codes, rotated):
        train, test = slice(0, 2000), slice(2000, 3000)
        columns.append(
            score_codes(representation[train], factors[train], representation[test], factors[test], level="quick")
        )
    print(f"{'':<22}{'codes':>8}{'rotated':>9}")
    for name, label in SCORES.items():
        print(f"{label:<22}{columns[0][name]:>8.3f}{columns[1][name]:>9.3f}")
    print("mutual information of each rotated code (row) and factor (column), nats:")
    print(mutual_information(rotated, factors).round(2))


if __name__ == "__main__":
    main()
