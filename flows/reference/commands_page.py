"""Every command of `takt` with its arguments, options and examples, from the application itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from flows.cli import app
from flows.reference.markdown import code, page, table

_INTRO = """
`takt COMMAND --help` shows the same on the terminal. Results go to standard output, all else to standard error. The
exit code is 0 when all is well, 1 for an error (told as what was wrong and how to mend it), 2 for a wrong command line.

`takt --version` prints the versions that a bug report should name. `takt --install-completion` teaches the shell to
complete commands and options.
"""


def commands_page() -> str:
    """The page."""
    return page("Commands", _INTRO, *_commands(typer.main.get_command(app), "takt"))


def _commands(command: Any, name: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for sub in sorted(command.commands):
            yield from _commands(command.commands[sub], f"{name} {sub}")
        return
    yield f"## `{name}`"
    yield re.sub(r"[ \t]*\n[ \t]*", "\n", command.help or "")
    parameters = [p for p in command.params if p.name != "help"]
    arguments = " ".join(p.name.upper() for p in parameters if p.param_type_name == "argument")
    yield f"    {name} [OPTIONS] {arguments}".rstrip()
    yield table(("argument or option", "default", "meaning"), map(_parameter, parameters))
    examples = re.findall(r"takt .*", re.sub(r"\[/?(bold)?\]", "", command.epilog or ""))
    if examples:
        yield "\n".join(["```sh", *examples, "```"])


def _parameter(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        names = code(parameter.name.upper())
    else:
        names = ", ".join(map(code, parameter.opts))
    help_text = parameter.help or ""
    if parameter.envvar:
        help_text += f"; environment variable `{parameter.envvar}`"
    return names, _default(parameter), help_text


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False:
        return ""
    return code(getattr(default, "value", default))
