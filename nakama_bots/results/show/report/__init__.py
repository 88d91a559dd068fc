"""The HTML report of one or several runs: one file, without scripts needed and without the network."""
