"""The command line, over HTTP. Nothing heavy is imported before a verb needs it: at 3 a.m. it answers at once."""


def main() -> None:
    """Run `tocsin`; leaves with the documented exit code."""
    from starter.cli.program import run

    run()
