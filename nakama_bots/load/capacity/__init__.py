"""A capacity search within one run: trials at loads that the search chooses, one after the other."""
