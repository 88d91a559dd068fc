"""What a run measured: recorded exactly, merged exactly, written down. Knows neither gevent nor Locust.

``histogram`` counts durations, ``recorder`` is the ``Observer`` behind every call, ``ledger`` adds up what
became of the cids, ``summary`` is the file's shape, ``run_folder`` writes and reads it, ``text`` is what a
run prints at its end.
"""
