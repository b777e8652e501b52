"""click in French: headings, mistakes in the usage, and our own errors as one sentence on stderr."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Any, NoReturn

import click

from core.errors import BadConfig, YelenError
from core.i18n import _
from core.trouble import sentence_of

USAGE, CONFIG, INTERRUPTED = 2, 78, 130


class _French(click.Command):
    """Headings and the help option's own help."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=_("Usage : "))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = [r for r in (p.get_help_record(ctx) for p in self.get_params(ctx)) if r is not None]
        if records:
            with formatter.section(_("Options")):
                formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("afficher cette aide")
        return option


class FrenchCommand(_French):
    """A command whose help is French."""


class FrenchGroup(_French, click.Group):
    """A group whose commands may be in a table of (module:function, help), imported when called."""

    command_class = FrenchCommand

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.table = table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.table, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, _colon, name = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section(_("Commandes")):
            formatter.write_dl([(name, self._help_of(ctx, name)) for name in self.list_commands(ctx)])

    def _help_of(self, ctx: click.Context, name: str) -> str:
        if name in self.table:
            return self.table[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(90) if command else ""


def run(group: click.Group) -> NoReturn:
    """Run a command line and leave with its exit code; whatever was refused is a sentence, never a traceback."""
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(USAGE)
    except click.UsageError as error:
        _say_usage(error)
        sys.exit(USAGE)
    except BadConfig as error:
        _say(_("Démarrage refusé."), *error.faults)
        sys.exit(CONFIG)
    except YelenError as error:
        _say(str(error))
        sys.exit(1)
    except BrokenPipeError:
        # « yelen list … | head »: whoever read has read enough; nothing is left to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _say(sentence_of(error))
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)


def _say_usage(error: click.UsageError) -> None:
    path = error.ctx.command_path if error.ctx else "yelen"
    _say(_sentence(error), _("Aide : %s --help") % path)


def _sentence(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption():
            return _("Option inconnue : %s") % error.option_name
        case click.MissingParameter():
            name = error.param.make_metavar(error.ctx) if error.param and error.ctx else ""
            return _("Il manque : %s") % name
        case click.BadOptionUsage():
            return _("L'option %s est mal employée.") % error.option_name
        case click.BadParameter():
            name = error.param.opts[0] if error.param else ""
            return _("Valeur refusée pour %s : %s") % (name, _expected(error))
        case click.exceptions.NoSuchCommand():
            return _("Commande inconnue : %s") % error.command_name
    unexpected = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.message)
    if unexpected:
        return _("En trop : %s") % unexpected[1]
    return _("Commande incorrecte : %s") % error.message


def _expected(error: click.BadParameter) -> str:
    """What would have been taken; click says it in English."""
    match error.param.type if error.param else None:
        case click.Choice(choices=choices):
            return _("l'un de ceux-ci est attendu : %s") % ", ".join(str(choice) for choice in choices)
        case click.IntRange(min=low, max=None):
            return _("un nombre est attendu, %s ou plus") % low
        case click.IntRange(min=low, max=high):
            return _("un nombre est attendu, de %s à %s") % (low, high)
        case click.types.IntParamType():
            return _("un nombre est attendu")
        case click.DateTime():
            return _("un jour est attendu, AAAA-MM-JJ")
    return error.message
