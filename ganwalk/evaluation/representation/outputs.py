"""Coordinates that an encoder read off pictures: in a file, and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.directions import Directions
from ganwalk.evaluation.representation.encoder import Encoder
from ganwalk.files import write_bytes, write_text


def facts_of_codes(
    pictures: Sequence[Path], directions: Directions, encoder: Encoder, codes: np.ndarray
) -> dict[str, Any]:
    """Everything that is known of the pictures, as JSON can hold it; `codes` have a row for each."""
    rows = [
        {"direction": index, "name": label.name, "fit": None if fit != fit else fit}
        for index, (label, fit) in enumerate(zip(directions.labels, encoder.fit.tolist(), strict=True))
    ]
    found = [{"file": str(path), "codes": row} for path, row in zip(pictures, codes.tolist(), strict=True)]
    return {"directions": rows, "pictures": found}


def write_codes(path: Path, pictures: Sequence[Path], directions: Directions, codes: np.ndarray) -> None:
    """Writes a row for each picture, a column for each direction, as .csv or .npz."""
    names = [label.name or str(index) for index, label in enumerate(directions.labels)]
    files = [str(picture) for picture in pictures]
    if path.suffix.lower() == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", *names])
        writer.writerows([file, *row] for file, row in zip(files, codes.tolist(), strict=True))
        write_text(path, text.getvalue())
        return
    data = io.BytesIO()
    np.savez(data, codes=codes, files=np.array(files), directions=np.array(names))
    write_bytes(path, data.getvalue())
