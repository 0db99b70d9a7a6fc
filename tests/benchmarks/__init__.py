"""What the plugin costs, beside what people would use instead: `make bench`. Each figure is a ratio within one run.

What profiles said before each was made faster (Python 3.11, NumPy 2.3, two cores):

- Gate from baselines, per image: 185 ms in Paddle's engine and 10 ms in decoding and its post-process; of ours 9 ms
  went into a tensor's differences in four passes, 7 ms into putting the process back (64 signal handlers asked one by
  one, blocks within blocks), 4 ms into asking three times how much memory there is, 7 ms into the baseline.
- Gate with both models, per image of 736x960, beside 210 ms of the bare loop: 7.7 ms in assertions, 3.1 in putting the
  process back (0.7 of it in looking for libraries that are not loaded), 2.5 in hashing decoded pixels, 1.7 in pytest,
  and up to 10 in memory that the system gives anew: 32,600 pages in each run of the dygraph network, up to 44,000 with
  eight traces kept per model. Left are 6.3 in assertions, 2.4 in the process, 0.5 in copying decoded pixels.
- Map comparison, 1.4 ms: 0.3 in a float64 mean, 0.2 in looking for NaN in both maps, 0.3 in allocating. Left are 0.65
  in a row, 0.79 in turns with NumPy: 0.28 for reading both maps at the speed of memory, 0.14 the crossings, 0.06 the
  largest, 0.06 the sum, the rest Python with what the maps swept out of the caches. Writing the differences across
  cache lines cost 0.04. Two threads took longer, as they wait for each other's GIL.
- Matching 1,000 boxes, 54 ms: 30 in NumPy calls on single polygons, 12 in shapely's intersections.
- Loading a baseline, 17 ms: 5.6 in inflating, 3.8 in digests and checksums, 5.3 in looking the tensor up. Left are 2.0
  in inflating at once, 2.3 in looking up by rows, 0.9 in the map, and 0.3 in the digests.
"""
