"""`streamspc run`: the daemon."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags named as exporters name theirs."""
    add = parser.add_argument
    add("--config.file", dest="config_file", type=Path, required=True, metavar="FILE", help="configuration (streamspc check-config FILE)")
    add(
        "--roles", default="observe,chart,gate,notify", metavar="LIST", help="roles of this process, comma-separated (default: %(default)s)"
    )
    add(
        "--until-end",
        nargs="?",
        const="",
        metavar="ENDS",
        help="process what the source topics hold at start, or up to the end offsets that a producer leaves in the file ENDS, then exit",
    )
    add("--linger", action="store_true", help="with --until-end: keep answering /metrics until a signal comes")
    add("--web.listen-address", dest="listen", metavar="HOST:PORT", help="where /metrics is (default: server.listen of the configuration)")
    add("--log.level", dest="log_level", choices=["debug", "info", "warning", "error"], help="default: log.level of the configuration")
    add("--log.format", dest="log_format", choices=["auto", "console", "logfmt", "json"], help="default: log.format of the configuration")


def execute(args: argparse.Namespace) -> int:
    """Run until a signal, the end, or a fatal error."""
    from streamspc import app, log  # noqa: PLC0415 - keeps `--help` fast
    from streamspc.roles.ends import AtStart, FromFile  # noqa: PLC0415
    from streamspc.settings import load  # noqa: PLC0415

    roles = [role.strip() for role in args.roles.split(",") if role.strip()]
    unknown = sorted(set(roles) - set(app.ROLES))
    if unknown or not roles:
        raise ConfigError(f"--roles: {', '.join(unknown) or 'nothing'} is no role: expected some of {', '.join(app.ROLES)}")
    loaded = load(args.config_file)
    local = loaded.local
    given = {"listen": args.listen, "log_level": args.log_level, "log_format": args.log_format}
    local = replace(local, **{name: value for name, value in given.items() if value is not None})
    log.configure(local.log_level, local.log_format, loaded.secrets())
    ends = None if args.until_end is None else FromFile(Path(args.until_end)) if args.until_end else AtStart()
    kept = app.App(loaded.semantics, local, roles, ends, args.linger).run()
    return ExitCode.OK if kept else ExitCode.DRAIN
