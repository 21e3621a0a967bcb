"""`roboreel config`: default options of the user, and where each is set."""

from __future__ import annotations

import os

from roboreel.cli.settings import Found, config_file, found_settings, near_names, unknown_variables
from roboreel.cli.shared.shared_options import JsonOption
from roboreel.cli.text.output import emit_json, heading, say, table, tell


def config(as_json: JsonOption = False) -> None:
    """Show the default of each option that has one, and where it is set.

    A typed option overrides the environment (ROBOREEL_WORKERS=4), which overrides the file roboreel.toml in
    your configuration folder (workers = 4), which overrides the built-in default.

    Examples:
        roboreel config
        roboreel config --json
    """
    found = [*found_settings()]
    path = config_file()
    for name in unknown_variables():
        near = near_names(name.partition("_")[2])
        meant = f": did you mean ROBOREEL_{near[0].upper()}?" if near else ""
        tell(f"warning: the variable {name} is no setting and is ignored{meant}")
    if as_json:
        emit_json(
            {
                "file": path,
                "exists": os.path.isfile(path),
                "settings": {
                    one.setting.name: {
                        "value": one.setting.built_in if one.value is None else one.value,
                        "default": one.setting.default,
                        "origin": one.origin,
                    }
                    for one in found
                },
            }
        )
        return
    heading(f"{path}{'' if os.path.isfile(path) else ' (does not exist)'}")
    table([_row(one) for one in found])
    say()
    say(
        "An option on the command line overrides these. A switch is turned off by its variable:"
        " ROBOREEL_QUIET=false."
    )


def _row(found: Found) -> tuple[str, ...]:
    setting = found.setting
    value = setting.default if found.value is None else str(found.value)
    value = value.lower() if isinstance(found.value, bool) else value
    origin = setting.variable if found.origin == "environment" else found.origin
    return setting.option, value, origin
