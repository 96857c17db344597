"""Rendered scenes with known factors: a solid in a room, after the factor grid of 3D Shapes (Burgess & Kim, 2018).

A small ray caster, compiled with numba: one solid on the floor of a square room, seen by a camera that orbits it,
lit by one lamp with a shadow. Six factors, in the order of the columns of every factor array:

    0 floor_hue    [0, 1)     hue of the floor
    1 wall_hue     [0, 1)     hue of the walls
    2 object_hue   [0, 1)     hue of the solid
    3 scale        [0.75, 1.25]  size of the solid
    4 shape        0..3       cube, cylinder, sphere, capsule
    5 azimuth      [-30, 30]  orbit of the camera in degrees
"""

from __future__ import annotations

import math
from functools import partial

import numba
import numpy as np

from ganwalk.compute.compiled import entry, jit

FACTOR_NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "azimuth")
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
SHAPE_NAMES = ("cube", "cylinder", "sphere", "capsule")
SCALE_RANGE = (0.75, 1.25)
AZIMUTH_RANGE = (-30.0, 30.0)

_RANGED = ((3, SCALE_RANGE), (5, AZIMUTH_RANGE))  # columns that the predictor has in units of [-1, 1]
_ROOM = 3.2  # half the width of the room; the solid at scale 1 is about 1.4 wide
_LAMP = (-2.0, -1.2, 4.6)
_AMBIENT = 0.45
_CUBE, _CYLINDER, _SPHERE, _CAPSULE = range(4)


def grid_factors(indices: np.ndarray) -> np.ndarray:
    """Factor values (n, 6) float32 of grid indices (n, 6), each column below its entry of `FACTOR_SIZES`."""
    indices = np.asarray(indices)
    values = np.empty(indices.shape, np.float32)
    values[:, :3] = indices[:, :3] / 10
    values[:, 3] = np.linspace(*SCALE_RANGE, FACTOR_SIZES[3])[indices[:, 3]]
    values[:, 4] = indices[:, 4]
    values[:, 5] = np.linspace(*AZIMUTH_RANGE, FACTOR_SIZES[5])[indices[:, 5]]
    return values


def sample_factors(n: int, seed: int) -> np.ndarray:
    """Factor values (n, 6) float32, independent and uniform: continuous, except for the shape."""
    rng = np.random.default_rng(seed)
    values = np.empty((n, 6), np.float32)
    values[:, :3] = rng.random((n, 3))
    values[:, 3] = rng.uniform(*SCALE_RANGE, n)
    values[:, 4] = rng.integers(len(SHAPE_NAMES), size=n)
    values[:, 5] = rng.uniform(*AZIMUTH_RANGE, n)
    return values


def to_unit(factors: np.ndarray) -> np.ndarray:
    """Factor values (n, 6) with scale and azimuth from -1 to 1 over their ranges, as the predictor has them."""
    values = np.array(factors)
    for column, (low, high) in _RANGED:
        values[:, column] = (values[:, column] - low) / (high - low) * 2 - 1
    return values


def from_unit(values: np.ndarray) -> np.ndarray:
    """Factor values (n, 6) whose scale and azimuth were from -1 to 1: undoes `to_unit`."""
    factors = np.array(values)
    for column, (low, high) in _RANGED:
        factors[:, column] = (factors[:, column] + 1) / 2 * (high - low) + low
    return factors


def render(factors: np.ndarray, resolution: int = 64, supersampling: int = 3) -> np.ndarray:
    """Images (n, resolution, resolution, 3) uint8 of factor values (n, 6).

    Args:
        factors: one row per image, columns as in the description of this module.
        resolution: height and width in pixels.
        supersampling: rays per pixel and axis.
    Raises:
        ValueError: the factors are not (n, 6), not finite, or name an unknown shape.
    """
    factors = np.ascontiguousarray(factors, np.float64)
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_NAMES) or not np.isfinite(factors).all():
        raise ValueError(f"factors must be finite and of shape (n, 6), not {factors.shape}")
    if not np.isin(factors[:, 4], range(len(SHAPE_NAMES))).all():
        raise ValueError(f"the shape factor must be 0 to {len(SHAPE_NAMES) - 1}")
    images = np.empty((len(factors), resolution, resolution, 3), np.uint8)
    _render(factors, supersampling, images)
    return images


def shadings_of(geometries: np.ndarray, resolution: int = 64, supersampling: int = 3) -> np.ndarray:
    """How bright each pixel shows floor, walls and solid, (n, resolution, resolution, 3) float32, without their hues.

    A picture is linear in the colours of the three surfaces, so `paint` makes scenes of any hues from this.

    Args:
        geometries: (n, 3) scale, shape and azimuth.
    """
    shadings = np.empty((len(geometries), resolution, resolution, 3), np.float32)
    _shadings(np.ascontiguousarray(geometries, np.float64), supersampling, shadings)
    return shadings


def paint(which: np.ndarray, hues: np.ndarray, shadings: np.ndarray) -> np.ndarray:
    """Images (n, resolution, resolution, 3) uint8 of geometries `which` (n,) of `shadings_of` with hues (n, 3)."""
    images = np.empty((len(which), *shadings.shape[1:]), np.uint8)
    _paint(np.ascontiguousarray(which, np.int64), np.ascontiguousarray(hues, np.float64), shadings, images)
    return images


@jit
def _hue_to_rgb(hue, saturation, value):
    """RGB of a hue on the circle [0, 1) (the usual HSV hexcone)."""
    rgb = np.empty(3)
    for channel in range(3):
        k = (5.0 - 2.0 * channel + hue * 6.0) % 6.0
        rgb[channel] = value - value * saturation * max(0.0, min(k, 4.0 - k, 1.0))
    return rgb


@jit
def _nearest_root(a, b, c):
    """Smallest positive root of a t² + 2 b t + c, or infinity."""
    discriminant = b * b - a * c
    if discriminant < 0.0 or a == 0.0:
        return math.inf
    root = math.sqrt(discriminant)
    t = (-b - root) / a
    return t if t > 1e-6 else math.inf


@jit
def _hit_sphere(o, d, radius, z, normal):
    oz = o[2] - z
    t = _nearest_root(
        d[0] * d[0] + d[1] * d[1] + d[2] * d[2],
        o[0] * d[0] + o[1] * d[1] + oz * d[2],
        o[0] * o[0] + o[1] * o[1] + oz * oz - radius * radius,
    )
    if t < math.inf:
        normal[0] = (o[0] + t * d[0]) / radius
        normal[1] = (o[1] + t * d[1]) / radius
        normal[2] = (oz + t * d[2]) / radius
    return t


@jit
def _hit_tube(o, d, radius, bottom, top, normal):
    t = _nearest_root(
        d[0] * d[0] + d[1] * d[1],
        o[0] * d[0] + o[1] * d[1],
        o[0] * o[0] + o[1] * o[1] - radius * radius,
    )
    if t < math.inf:
        z = o[2] + t * d[2]
        if z < bottom or z > top:
            return math.inf
        normal[0] = (o[0] + t * d[0]) / radius
        normal[1] = (o[1] + t * d[1]) / radius
        normal[2] = 0.0
    return t


@jit
def _hit_disc(o, d, radius, z, normal):
    if d[2] >= 0.0:
        return math.inf
    t = (z - o[2]) / d[2]
    x, y = o[0] + t * d[0], o[1] + t * d[1]
    if t <= 1e-6 or x * x + y * y > radius * radius:
        return math.inf
    normal[0], normal[1], normal[2] = 0.0, 0.0, 1.0
    return t


@jit
def _hit_box(o, d, half, height, normal):
    near, far, axis = -math.inf, math.inf, 0
    for k in range(3):
        low = 0.0 if k == 2 else -half
        high = height if k == 2 else half
        if abs(d[k]) < 1e-12:
            if o[k] < low or o[k] > high:
                return math.inf
            continue
        t0, t1 = (low - o[k]) / d[k], (high - o[k]) / d[k]
        if t0 > t1:
            t0, t1 = t1, t0
        if t0 > near:
            near, axis = t0, k
        far = min(far, t1)
    if near > far or near <= 1e-6:
        return math.inf
    normal[:] = 0.0
    normal[axis] = -1.0 if d[axis] > 0.0 else 1.0
    return near


@jit
def _hit_solid(o, d, shape, scale, normal):
    """Distance along the ray o + t d to the solid that stands on the floor at the origin; sets its normal."""
    if shape == _CUBE:
        return _hit_box(o, d, 0.62 * scale, 1.24 * scale, normal)
    if shape == _SPHERE:
        return _hit_sphere(o, d, 0.75 * scale, 0.75 * scale, normal)
    other = np.empty(3)
    if shape == _CYLINDER:
        radius, height = 0.65 * scale, 1.3 * scale
        t = _hit_tube(o, d, radius, 0.0, height, normal)
        s = _hit_disc(o, d, radius, height, other)
    else:
        radius = 0.48 * scale
        t = _hit_tube(o, d, radius, radius, 1.7 * scale - radius, normal)
        s = min(_hit_sphere(o, d, radius, radius, other), math.inf)
        if s < t:
            t = s
            normal[:] = other
        s = _hit_sphere(o, d, radius, 1.7 * scale - radius, other)
    if s < t:
        normal[:] = other
        return s
    return t


@jit
def _shade(o, d, shape, scale, colours, rgb):
    """Adds the colour seen along the ray o + t d to rgb."""
    normal = np.zeros(3)
    t = _hit_solid(o, d, shape, scale, normal)
    surface = 2
    if d[2] < 0.0 and -o[2] / d[2] < t:
        t, surface = -o[2] / d[2], 0
        normal[0], normal[1], normal[2] = 0.0, 0.0, 1.0
    for k in range(2):
        if d[k] != 0.0:
            wall = _ROOM if d[k] > 0.0 else -_ROOM
            s = (wall - o[k]) / d[k]
            if 0.0 < s < t:
                t, surface = s, 1
                normal[:] = 0.0
                normal[k] = -1.0 if d[k] > 0.0 else 1.0
    point = o + t * d
    to_lamp = np.array(_LAMP) - point
    cosine = max(0.0, (to_lamp * normal).sum() / math.sqrt((to_lamp * to_lamp).sum()))
    if surface < 2 and _hit_solid(point, to_lamp, shape, scale, np.empty(3)) < 1.0:
        cosine *= 0.35
    for channel in range(3):
        rgb[channel] += colours[surface, channel] * (_AMBIENT + (1.0 - _AMBIENT) * cosine)


@jit
def _cast(shape, scale, azimuth, supersampling, colours, values):
    """Sets values (resolution, resolution, 3) to what the camera sees when the surfaces have these colours (3, 3)."""
    resolution = values.shape[0]
    angle = azimuth * math.pi / 180.0
    # Starting at 45° puts the corner of the room behind the solid: it tells the azimuth.
    orbit = math.pi / 4 + angle
    forward = np.array([math.cos(orbit), math.sin(orbit), -0.42])
    forward /= math.sqrt((forward * forward).sum())
    right = np.array([math.sin(orbit), -math.cos(orbit), 0.0])
    up = np.array(
        [
            right[1] * forward[2] - right[2] * forward[1],
            right[2] * forward[0] - right[0] * forward[2],
            right[0] * forward[1] - right[1] * forward[0],
        ]
    )
    eye = np.array([0.0, 0.0, 0.8]) - 4.3 * forward
    rgb = np.empty(3)
    for row in range(resolution):
        for column in range(resolution):
            rgb[:] = 0.0
            for sub in range(supersampling * supersampling):
                y = row + (sub // supersampling + 0.5) / supersampling
                x = column + (sub % supersampling + 0.5) / supersampling
                u = (2.0 * x / resolution - 1.0) * 0.46
                v = (1.0 - 2.0 * y / resolution) * 0.46
                _shade(eye, forward + u * right + v * up, shape, scale, colours, rgb)
            for channel in range(3):
                values[row, column, channel] = rgb[channel] / (supersampling * supersampling)


@jit
def _surface_colours(floor_hue, wall_hue, object_hue):
    """RGB (3, 3) of floor, walls and solid."""
    colours = np.empty((3, 3))
    colours[0] = _hue_to_rgb(floor_hue, 0.75, 0.95)
    colours[1] = _hue_to_rgb(wall_hue, 0.6, 0.95)
    colours[2] = _hue_to_rgb(object_hue, 0.85, 1.0)
    return colours


@jit
def _to_byte(value):
    return min(255, int(value * 255.0 + 0.5))


@partial(entry, parallel=True)
def _render(factors, supersampling, images):
    n, resolution = images.shape[0], images.shape[1]
    for i in numba.prange(n):
        values = np.empty((resolution, resolution, 3))
        colours = _surface_colours(factors[i, 0], factors[i, 1], factors[i, 2])
        _cast(int(factors[i, 4]), factors[i, 3], factors[i, 5], supersampling, colours, values)
        for row in range(resolution):
            for column in range(resolution):
                for channel in range(3):
                    images[i, row, column, channel] = _to_byte(values[row, column, channel])


@partial(entry, parallel=True)
def _shadings(geometries, supersampling, shadings):
    for i in numba.prange(len(shadings)):
        values = np.empty(shadings.shape[1:])
        _cast(int(geometries[i, 1]), geometries[i, 0], geometries[i, 2], supersampling, np.eye(3), values)
        shadings[i] = values


@entry
def _paint(which, hues, shadings, images):
    n, resolution = images.shape[0], images.shape[1]
    for i in range(n):
        colours = _surface_colours(hues[i, 0], hues[i, 1], hues[i, 2])
        shading = shadings[which[i]]
        for row in range(resolution):
            for column in range(resolution):
                for channel in range(3):
                    value = 0.0
                    for surface in range(3):
                        value += shading[row, column, surface] * colours[surface, channel]
                    images[i, row, column, channel] = _to_byte(value)
