"""Whether a plan's encoders and decoders work on this machine: told before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreel.errors import PlanError, VideoError
from roboreel.plan.plan import EncodeVideo, MeasureCamera, Plan
from roboreel.storage.video.backends import refuse_codec, require_backend
from roboreel.storage.video.encoders import require_encoder

_SIDE = 256  # pixels; some hardware takes nothing small


def encoder_that_works(settings: Sequence[Mapping[str, str]]) -> int:
    """The position of the first settings with which a picture can be encoded, else the last."""
    for at, encoder in enumerate(settings[:-1]):
        try:
            require_encoder(encoder, width=_SIDE, height=_SIDE)
        except VideoError:
            continue
        return at
    return len(settings) - 1


def require_encoders(plan: Plan) -> None:
    """Encode a picture with each of a plan's encoders.

    Raises:
        PlanError: one is not there, or does not take its settings.
    """
    tried = set()
    for op in plan.ops:
        if not isinstance(op, EncodeVideo):
            continue
        width, height = op.size or (_SIDE, _SIDE)
        key = (tuple(op.encoder.items()), width, height)
        if key not in tried:
            tried.add(key)
            try:
                require_encoder(op.encoder, width=width, height=height)
            except VideoError as error:
                raise PlanError(f"'{op.camera}' cannot be encoded as asked: {error}") from error


def require_backends(plan: Plan) -> None:
    """Look for what is to decode the videos that a plan measures.

    Raises:
        MissingDependencyError: its package is not installed.
        PlanError: it does not decode a camera's codec.
    """
    measured = {
        (op.camera, op.backend)
        for op in plan.ops
        if isinstance(op, MeasureCamera) and not op.from_tables
    }
    for camera, backend in sorted(measured):
        require_backend(backend)
        facts = plan.model.info.features[camera].video_facts
        try:
            refuse_codec(backend, str(facts.get("video.codec")), f"'{camera}'")
        except VideoError as error:
            raise PlanError(str(error)) from error
