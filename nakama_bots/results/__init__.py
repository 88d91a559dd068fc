"""The results of a run: recorded and merged exactly, and written to files. Uses neither gevent nor Locust.

``record`` measures (histograms, counters, the time line by the second, gauges of every process), ``gate``
judges, ``compare`` compares runs, ``capacity`` searches for the capacity of a server, ``show`` makes texts,
reports and files. ``summary`` is the shape of the summary file, ``run_folder`` writes and reads the files.
"""
