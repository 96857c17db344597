"""The projection of a photo into the files that it leaves, where an earlier one may have been cut short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganwalk.errors import GanwalkError
from ganwalk.files import made_folder, try_locked
from ganwalk.pictures.photos import Photo
from ganwalk.projection.names import checkpoint_beside, picture_beside
from ganwalk.projection.outputs import read_run, write_projection
from ganwalk.projection.run import Prepared, Projection, run_projection
from ganwalk.resuming.agreement import check_fingerprint


def project_photo(
    prepared: Prepared,
    photo: Photo,
    target: Path,
    *,
    resume: bool = False,
    on_share: Callable[[float], None],
    on_early: Callable[[Path], None],
) -> Projection | None:
    """The projection of one photo, written; None if it was finished before.

    Args:
        target: file of the latents, which lie beside a picture and, until they are finished, a checkpoint.
        resume: keep what is finished, and continue what is not.
        on_share: told how much is done.
        on_early: told the picture of a first result, once it is there.
    Raises:
        GanwalkError: another process projects to this file, or what is there is of another photo or other settings.
    """
    image = photo.image(1 if prepared.generator.img_channels < 3 else 3)
    run = prepared.fingerprint(image)
    checkpoint = checkpoint_beside(target)
    if resume and target.exists() and not checkpoint.exists():
        check_fingerprint(target, read_run(target), run)
        on_share(1.0)
        return None
    reference = Path(prepared.generator.identity.reference).name

    def write(found: Projection) -> None:
        write_projection(target, found, photo, run, reference)

    def write_early(found: Projection) -> None:
        write(found)
        on_early(picture_beside(target))

    with made_folder(target.parent), try_locked(target) as held:
        if not held:
            raise GanwalkError(f"another process projects to {target}: wait for it, or choose another --out")
        found = run_projection(
            prepared, image, checkpoint=checkpoint, resume=resume, on_share=on_share, on_early=write_early
        )
        write(found)
        checkpoint.unlink(missing_ok=True)
    return found
