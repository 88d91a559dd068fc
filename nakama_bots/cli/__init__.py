"""The ``nakama-bots`` command, one file a subcommand."""
