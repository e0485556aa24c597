"""Time zones by name."""

from __future__ import annotations

import difflib
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator

from streamspc.settings.part import fault


def _zone(name: str) -> str:
    """A zone that is known."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):  # not there, a folder, or not a name at all
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        raise fault(f"unknown zone; {f'did you mean {near[0]}?' if near else 'expected one such as America/New_York'}") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
