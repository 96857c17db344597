"""A whole training: data, loop, looks at it on the way, scores and pictures at the end."""

from __future__ import annotations

from vae.run_folder import MODEL_FILE as MODEL_FILE
