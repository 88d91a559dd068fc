"""What a run measured: recorded exactly, merged exactly, written down. Knows neither gevent nor Locust.

``histogram`` counts durations, ``recorder`` is the ``Observer`` behind every call, ``ledger`` adds up what
became of the cids, ``timeline`` keeps it all by the second, ``gauges`` is what processes are asked for each
second, ``summary`` is the summary file's shape, ``run_folder`` writes and reads the files, ``text`` is what a
run prints at its end.
"""
