"""What every command that changes something is asked: who, why, and whether to do it at all."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_audit(parser: argparse.ArgumentParser, actions: str) -> None:
    """--why, --by and --dry-run, of these actions."""
    add = parser.add_argument
    add("--why", default="", metavar="TEXT", help=f"{actions}: for the audit in the control log")
    add("--by", default=None, metavar="WHO", help=f"{actions}: for the audit (default: the user's name)")
    add("--dry-run", action="store_true", help=f"{actions}: only say what would be done")


def user() -> str:
    """Who gives the command, where nobody says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user
        return "unknown"
