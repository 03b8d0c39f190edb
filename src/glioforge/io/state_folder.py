"""The user's state folder, where Glioforge keeps what belongs to no run: which studies have looked at which scans."""

import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "GLIOFORGE_STATE"


def state_folder() -> Path:
    """Return the folder that `GLIOFORGE_STATE` names, else the platform's own for state; it may not exist yet.

    Linux keeps state below `$XDG_STATE_HOME`, by default `~/.local/state`; macOS and Windows have folders of their own.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_state_path

    return user_state_path("glioforge", appauthor=False)
