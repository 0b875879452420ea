"""The command line inside `.venv`: the commands and what each takes. What they do is in `tools/commands/`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer(
    name="python -m tools",
    help="Bring the stack up, look into it, take it down. `make help` lists the same commands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Stack = Annotated[
    str, typer.Option("--stack", "-s", envvar="STACK", help="The stack, the middle of Pulumi.<stack>.yaml.")
]
Target = Annotated[str, typer.Option("--target", envvar="TARGET", help="emulator or azure.")]
Json = Annotated[bool, typer.Option("--json", help="Print data instead of a page.")]
Job = Annotated[str, typer.Argument(envvar="JOB", show_default=False, help="A job's name, or all of them: all.")]
Arguments = Annotated[list[str] | None, typer.Argument(help="More arguments, passed on as they are.")]
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=PASS_ON)
def up(stack: Stack = "local", target: Target = "emulator", as_json: Json = False, arguments: Arguments = None) -> None:
    """Create or update the stack, embed its rows, and say what there is."""
    from tools.commands import up as command

    raise typer.Exit(command.up(stack, target, arguments or [], as_json=as_json))


@app.command(context_settings=PASS_ON)
def preview(stack: Stack = "local", target: Target = "emulator", arguments: Arguments = None) -> None:
    """Show what `up` would do, with rows, tokens and cost beside each new job."""
    from tools.commands import preview as command

    raise typer.Exit(command.preview(stack, target, arguments or []))


@app.command()
def preflight(
    stack: Stack = "local",
    target: Target = "emulator",
    as_json: Json = False,
    retirement_days: Annotated[
        int, typer.Option(min=0, max=1000, help="Warn of a model that retires within so many days.")
    ] = 90,
) -> None:
    """Check what Azure says to the stack before `up`: sign-in, rights, quota, models, sizes, names; changes nothing."""
    from tools.commands import preflight as command

    raise typer.Exit(command.preflight(stack, target, as_json=as_json, retirement_days=retirement_days))


@app.command(context_settings=PASS_ON)
def refresh(stack: Stack = "local", target: Target = "emulator", arguments: Arguments = None) -> None:
    """Compare the state with what is really there, and record what differs."""
    from tools.commands import up as command

    raise typer.Exit(command.refresh(stack, target, arguments or []))


@app.command()
def status(
    stack: Stack = "local",
    target: Target = "emulator",
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the jobs until you leave with q.")] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="Follow the jobs until nothing is left; fails when one is stopped.")
    ] = False,
) -> None:
    """Show resources, extensions and jobs: rows embedded, pending, failed, tokens, cost."""
    if watch or until_done:
        from tools.commands import watch as following

        raise typer.Exit(following.watch(stack, target, as_json=as_json, until_done=until_done))
    from tools.commands import status as command

    raise typer.Exit(command.status(stack, target, as_json=as_json))


@app.command()
def estimate(job: Job = "", stack: Stack = "local", target: Target = "emulator", as_json: Json = False) -> None:
    """Say what the rest of the jobs will take: rows, tokens, requests, cost, minutes; spends nothing."""
    from tools.commands import jobs as command

    command.estimate(stack, target, job, as_json=as_json)


@app.command()
def failures(job: Job = "", stack: Stack = "local", target: Target = "emulator", as_json: Json = False) -> None:
    """List the rows in quarantine: key, attempts, error, since when."""
    from tools.commands import jobs as command

    command.failures(stack, target, job, as_json=as_json)


@app.command()
def spend(job: Job = "", stack: Stack = "local", target: Target = "emulator", as_json: Json = False) -> None:
    """Say what each job spent, by day: requests, tokens, cost."""
    from tools.commands import jobs as command

    command.spend(stack, target, job, as_json=as_json)


@app.command()
def calibrate(
    job: Job = "",
    stack: Stack = "local",
    target: Target = "emulator",
    local: Annotated[bool, typer.Option("--local", help="Count with the tokenizer; send and pay nothing.")] = False,
) -> None:
    """Learn from one small request how many tokens a job's texts are billed for; says what it costs."""
    from tools.commands import calibrate as command

    command.calibrate(stack, target, job, local=local)


@app.command()
def pause(job: Job = "", stack: Stack = "local", target: Target = "emulator") -> None:
    """Let workers leave a job alone; its changes go on being noted."""
    from tools.commands import jobs as command

    command.tell(stack, target, "pause", job)


@app.command()
def resume(job: Job = "", stack: Stack = "local", target: Target = "emulator") -> None:
    """Let a job go on after a pause, or after a stop whose cause is mended."""
    from tools.commands import jobs as command

    command.tell(stack, target, "resume", job)


@app.command()
def retry(job: Job = "", stack: Stack = "local", target: Target = "emulator") -> None:
    """Queue the rows in quarantine once more."""
    from tools.commands import jobs as command

    command.tell(stack, target, "retry", job)


@app.command()
def rollback(job: Job = "", stack: Stack = "local", target: Target = "emulator") -> None:
    """Let searches use a job's previous generation again, after a change of its model."""
    from tools.commands import jobs as command

    command.tell(stack, target, "rollback", job)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help='What to look for, such as "late delivery penalty".')],
    stack: Stack = "local",
    target: Target = "emulator",
    job: Annotated[str, typer.Option(help="Search one job's rows only.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-k", min=1, max=1000, help="How many rows.")] = 10,
    conditions: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Rows with column=value only, or with <, <=, >, >=, <>; may be repeated."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare every row, instead of asking a vector index.")
    ] = False,
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Rank by meaning and by words at once.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show what vectors, words and both of them find, side by side.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the rows whose text is nearest in meaning, or best in meaning and words."""
    from tools.commands import search as command

    wanted = command.Wanted(query, job, limit, command.as_filter(conditions or []), exact)
    ways = command.WAYS if compare else ("hybrid",) if hybrid else ("vector",)
    command.search(stack, target, wanted, ways, as_json=as_json)


@app.command()
def console(
    stack: Stack = "local",
    target: Target = "emulator",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0: any free port.")] = 0,
    allow_actions: Annotated[
        bool, typer.Option("--allow-actions", help="Let the page pause, resume and retry jobs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as data.")] = False,
) -> None:
    """Serve a page for a browser on this machine: jobs, quota, failures, spend, search; changes nothing."""
    from tools.commands import console as command

    raise typer.Exit(command.console(stack, target, port=port, allow_actions=allow_actions, as_json=as_json))


@app.command(context_settings=PASS_ON)
def psql(stack: Stack = "local", target: Target = "emulator", arguments: Arguments = None) -> None:
    """Open a session in the database as the stack's user."""
    from tools.commands import shell as command

    raise typer.Exit(command.psql(stack, target, arguments or []))


@app.command()
def env(stack: Stack = "local", target: Target = "emulator") -> None:
    """Print exports that lead `pulumi`, `psql` and Azure clients to the stack: eval "$(python -m tools env)"."""
    from tools.commands import shell as command

    command.env(stack, target)


@app.command(context_settings=PASS_ON)
def pulumi(stack: Stack = "local", target: Target = "emulator", arguments: Arguments = None) -> None:
    """Run the engine's own command line for the stack."""
    from tools.commands import shell as command

    raise typer.Exit(command.pulumi(stack, target, arguments or []))


@app.command(context_settings=PASS_ON)
def destroy(stack: Stack = "local", target: Target = "emulator", arguments: Arguments = None) -> None:
    """Delete the stack's resources, and list what is retained."""
    from tools.commands import destroy as command

    raise typer.Exit(command.destroy(stack, target, arguments or []))


@app.command()
def down() -> None:
    """Stop the emulator; its state stays, and no process or port does."""
    from tools.commands import destroy as command

    command.down()


@app.command()
def clean() -> None:
    """Remove the stacks and the emulator of this machine, the caches of the checks, and .venv."""
    from tools.commands import destroy as command

    command.clean()


@app.command()
def setup() -> None:
    """Make sure of the Python packages and the engine, and do nothing else."""
    from tools.engine import find

    typer.echo(f"Pulumi engine: {find.find().source}.")


@app.command()
def schema(check: Annotated[bool, typer.Option("--check", help="Compare instead of writing.")] = False) -> None:
    """Write the JSON schema and the page of the config from the settings."""
    from tools.commands import checks as command

    command.schema(check=check)


@app.command()
def lock(
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take newer versions where there are.")] = False,
) -> None:
    """Make the lock files again from requirements*.in."""
    from tools.commands import checks as command

    command.lock(upgrade=upgrade)


@app.command()
def lint() -> None:
    """Check format, style and types."""
    from tools.commands import checks as command

    raise typer.Exit(command.lint())


@app.command("test", context_settings=PASS_ON)
def run_tests(
    level: Annotated[str, typer.Argument(help="One level (unit, components, ...); all when left out.")] = "",
    arguments: Arguments = None,
) -> None:
    """Run the tests, on all levels or on one."""
    from tools.commands import checks as command

    raise typer.Exit(command.test(level, arguments or []))


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="Which ones, such as B1,B6; all when left out.")] = "",
    runs: Annotated[int, typer.Option(min=0, max=100, help="How often each; 0: as often as it is worth.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny, to see that they run; keeps no result.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the engine on a server of its own; writes benchmarks/results.json and the pictures of docs."""
    from tools.commands import bench as command

    raise typer.Exit(command.bench(only, runs or None, quick=quick, as_json=as_json))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; failures pass through to the caller."""
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    if not os.environ.get("STACK"):
        # The stack `debian` asks for what that backend of the emulator alone carries.
        os.environ["STACK"] = "debian" if os.environ.get("BACKEND") == "debian" else "local"
    try:
        app(arguments, prog_name="python -m tools")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0
