"""Where a direction changes pictures, as a small heat map with its words."""

from __future__ import annotations

import numpy as np

from ganwalk.pictures.sheets import fitted, resize
from ganwalk.rendering.report.markup import text
from ganwalk.rendering.report.strips import encode_strip
from ganwalk.rendering.saliency import change_words, heat_picture
from ganwalk.samples import Samples

# Side in pixels, and the characters that one may have of those of a direction's strips.
_SIDE = 128
HEAT_BYTES = 20_000


def heat_figure(title: str, sample: Samples, saliency: np.ndarray, picture: np.ndarray) -> str:
    """A figure with the heat map over one sample.

    Args:
        title: of the direction, as HTML.
        saliency: map (h, w), per σ.
        picture: the sample itself, (h, w, 3) uint8.
    """
    enlarged = resize(picture, fitted(picture.shape[:2], max(_SIDE, *saliency.shape)))
    heat = encode_strip(heat_picture(saliency, np.asarray(enlarged))[None], HEAT_BYTES, _SIDE)
    words = change_words(saliency)
    return (
        f'<figure class="where"><img src="{heat.uri}" width="{heat.cell}" height="{heat.height}" '
        f'alt="Heat map over {text(sample.labels[0])}: direction {title} {words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )
