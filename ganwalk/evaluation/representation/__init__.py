"""Representations that directions make: an encoder from one picture to its coordinates along them, and its scores.

train_encoder(generator, directions, view) -> Encoder       encoder.encode(images), encoder.save(path), Encoder.load
represent(generator, directions, view, images) -> Representation

This room alone of ganwalk uses `vae`, of which it takes the metrics and the data sets.
Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "DataPlace": "ganwalk.files.data_place",
    "Encoder": "ganwalk.evaluation.representation.encoder",
    "Representation": "ganwalk.evaluation.representation.scoring",
    "labelled_images": "ganwalk.evaluation.representation.labelled",
    "represent": "ganwalk.evaluation.representation.scoring",
    "train_encoder": "ganwalk.evaluation.representation.training",
}

__all__ = ["DataPlace", "Encoder", "Representation", "labelled_images", "represent", "train_encoder"]

if TYPE_CHECKING:
    from ganwalk.evaluation.representation.encoder import Encoder
    from ganwalk.evaluation.representation.labelled import labelled_images
    from ganwalk.evaluation.representation.scoring import Representation, represent
    from ganwalk.evaluation.representation.training import train_encoder
    from ganwalk.files.data_place import DataPlace

__getattr__, __dir__ = names_from(__name__, _HOMES)
