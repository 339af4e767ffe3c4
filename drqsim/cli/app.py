"""What every command shares: the group that they register with, its errors, common options."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from dataclasses import replace

import click

from drqsim import limits
from drqsim import processor as processors
from drqsim.cli import STOPPED, inputs
from drqsim.cli.screen import Screen
from drqsim.cli.wording import for_the_terminal
from drqsim.errors import DrqsimError
from drqsim.kernels import KERNELS, ORDERS
from drqsim.report.plain import printable

REFUSED, MISUSED, INCOMPLETE = 1, 2, 3


class Commands(click.Group):
    """A group whose errors are one sentence on stderr and an exit status."""

    def main(self, *args, **kwargs):
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            _say(error.format_message(), one_line=False)
            status = MISUSED
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "drqsim"
            message = error.format_message().rstrip(".")
            _say(f"Error: {message}. Try '{where} --help'.")
            status = MISUSED
        except click.ClickException as error:
            _say(f"Error: {error.format_message()}")
            status = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            _say("Stopped.")
            status = STOPPED
        except DrqsimError as error:
            _say(f"Error: {for_the_terminal(str(error))}")
            status = REFUSED
        except OSError as error:  # files are guarded where they are used, so this is stdout
            what = f"use {error.filename!r}" if error.filename else "write to standard output"
            _say(f"Error: Cannot {what}: {error.strerror or error}.")
            status = REFUSED
        except MemoryError:
            _say("Error: This model needs more memory than there is; try a smaller input.")
            status = REFUSED
        sys.exit(status if isinstance(status, int) else 0)


def _say(text: str, one_line: bool = True) -> None:
    with contextlib.suppress(OSError):  # nobody can be told that stderr takes nothing
        click.echo(printable(" ".join(text.split())) if one_line else text, err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine; 1 a model or input is refused, or a check fails; 2 wrong usage; "
    "3 a check could not compare everything.",
)
@click.version_option(package_name="drqsim", message="drqsim %(version)s")
def drqsim() -> None:
    """Dynamic-range quantization of .tflite models: every tensor, its memory, its error.

    \b
    Examples:
      drqsim inspect model.tflite
      drqsim explain model.tflite --kernels optimized
      drqsim trace model.tflite --input image.npy --op conv_2d_3
      drqsim report model.tflite --float float.tflite -o report.html
    """


def command(examples: str, name: str | None = None) -> Callable:
    """A command with ``--json``; its function gets the ``Screen`` first."""

    def decorate(function: Callable) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="Write JSON instead of tables.")
        @functools.wraps(function)
        def run(as_json: bool, **options):
            return function(Screen(as_json), **options)

        lines = "\n".join(f"  {line}" for line in examples.strip().splitlines())
        return drqsim.command(name, epilog=f"\b\nExamples:\n{lines}")(run)

    return decorate


def model_argument(name: str = "model") -> Callable:
    """A ``.tflite`` file; reading it says what is wrong with it."""
    return click.argument(name, metavar=f"{name.upper()}.tflite", type=click.Path())


def kernels_option(default: str) -> Callable:
    """Which kernel path to follow."""
    return click.option(
        "--kernels",
        type=click.Choice(KERNELS),
        default=default,
        show_default=True,
        help="The kernel path; xnnpack is the runtime's own default.",
    )


def input_options(required: bool = True) -> Callable:
    """``--input`` and ``--seed``."""

    def decorate(function: Callable) -> Callable:
        function = click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="For 'random'."
        )(function)
        return click.option(
            "--input",
            "specs",
            multiple=True,
            required=required,
            metavar="[NAME=]FILE|random",
            help=inputs.HELP,
        )(function)

    return decorate


def limits_options(function: Callable) -> Callable:
    """``--max-memory`` and ``--max-work``, which hold for everything that the command runs."""
    usual, size = limits.LAPTOP, dict(type=click.IntRange(0), show_default=True)
    memory = "Bytes that a run may use at once."
    work = "Units of work that a run may take; a product of a matrix product is one."

    @click.option("--max-memory", default=usual.memory, help=memory, **size)
    @click.option("--max-work", default=usual.work, help=work, **size)
    @functools.wraps(function)
    def run(*args, max_memory: int, max_work: int, **options):
        raised = replace(limits.current(), memory=max_memory, work=max_work)
        with limits.using(raised):
            return function(*args, **options)

    return run


def processor_option(function: Callable) -> Callable:
    """``--processor``, which holds for everything that the command runs."""

    @click.option(
        "--processor",
        type=click.Choice(processors.NAMES),
        default=processors.DEFAULT,
        show_default=True,
        help="Whose kernels to follow; native is this machine's.",
    )
    @functools.wraps(function)
    def run(*args, processor: str, **options):
        with processors.using(processor):
            return function(*args, **options)

    return run


def nonfinite_option() -> Callable:
    """``--allow-nonfinite``."""
    return click.option(
        "--allow-nonfinite",
        is_flag=True,
        help="Follow the runtime where NaN and infinity lead it, in place of refusing them.",
    )


def float_order_option() -> Callable:
    """``--float-order``."""
    return click.option(
        "--float-order",
        type=click.Choice(ORDERS),
        help="How float layers add up: exact is the kernel's own order; blas is faster for a large "
        "one, and the default of such a layer alone.",
    )


def output_option() -> Callable:
    """``-o``."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(),
        required=True,
        help="The file to write; - is standard output.",
    )


def end_to_end_option(default: bool | None, when: str) -> Callable:
    """``--end-to-end`` and ``--no-end-to-end``."""
    text = f"Whether to split the error of the final output, too; {when}."
    return click.option("--end-to-end/--no-end-to-end", default=default, help=text)


def force_option() -> Callable:
    """``--force``."""
    return click.option("--force", is_flag=True, help="Replace files that are there.")
