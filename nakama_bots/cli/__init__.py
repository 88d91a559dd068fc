"""The ``nakama-bots`` command, one file per subcommand."""
