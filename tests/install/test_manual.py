"""The pages do not rot: every command they show exists with its options, every command is on a page, scripts answer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from install.cli import main_group

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.relative_to(ROOT) for p in ROOT.glob("**/README.md") if not {".venv", ".git"} & set(p.parts))
USUAL = {"add", "list", "remove"}  # said once for all groups


def shown(page: Path) -> Iterator[str]:
    """What a page shows to be typed after `yelen`."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    for line in [*spans, *(line for block in fenced for line in block.splitlines())]:
        for words in re.findall(r"(?:^|[ /])yelen ((?!yelen )[a-z].*)", line.partition(" #")[0]):
            yield words.strip()


def command_of(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that these words reach, and its name; None when there is none."""
    command: click.Command | None = main_group
    reached: list[str] = []
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
        reached.append(word)
    return command, reached


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_that_a_page_shows_exists_with_its_options(page: Path) -> None:
    for line in shown(page):
        command, _reached = command_of(line.split())
        assert command is not None, f"{page}: yelen {line}"
        known = {option for param in command.params for option in param.opts}
        assert set(re.findall(r"(?:^| )(--[a-z-]+)", line)) <= known | {"--help"}, f"{page}: yelen {line}"


def test_every_command_is_on_a_page() -> None:
    on_a_page = {" ".join(command_of(line.split())[1]) for page in PAGES for line in shown(page)}
    context = click.Context(main_group)
    wanted = set()
    for name in main_group.list_commands(context):
        command = main_group.get_command(context, name)
        subs = (
            [sub for sub in command.list_commands(context) if sub not in USUAL]
            if isinstance(command, click.Group)
            else []
        )
        wanted |= {f"{name} {sub}" for sub in subs} or ({name} if not isinstance(command, click.Group) else set())
    assert wanted - on_a_page == set()


def test_the_readers_of_these_tests_see_what_is_wrong() -> None:
    assert command_of(["replica", "reset"])[0] is not None
    assert command_of(["replica", "efface"])[0] is None
    assert len(list(shown(Path("install/README.md")))) > 30


@pytest.mark.parametrize("script", ["install/test", ".ci/run"])
def test_a_script_of_the_front_page_has_nothing_to_do_the_second_time(script: str) -> None:
    done = subprocess.run(
        [f"./{script}", "--setup-only"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", ["start", "test"])
def test_the_front_page_shows_scripts_that_stop_after_the_set_up(script: str) -> None:
    assert f"./install/{script} " in (ROOT / "README.md").read_text()
    text = (ROOT / "install" / script).read_text()
    assert text.index("install/setup") < text.index("if $setup_only; then exit 0; fi")
