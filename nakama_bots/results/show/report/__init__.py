"""The HTML report of one or several runs: one file that needs neither scripts nor the network."""
