"""Directions in a latent space, and where they come from: what discovery leaves and all other rooms walk along.

Here: what they are (`artifact`), the file that holds them (`storage`), such files among others (`files`), and `words`.
"""

from ganwalk.directions.artifact import CHANNELS, DIRECTIONS_FILE, WPLUS, Directions, shift_latents

__all__ = ["CHANNELS", "DIRECTIONS_FILE", "WPLUS", "Directions", "shift_latents"]
