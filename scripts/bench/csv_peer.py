"""Read a CSV file with pandas as float32; print the seconds and the largest resident size in KB. Part of csv.lua."""
import resource
import sys
import time

import numpy
import pandas

start = time.monotonic()
frame = pandas.read_csv(sys.argv[1], dtype=numpy.float32)
seconds = time.monotonic() - start
print(f"{seconds:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
