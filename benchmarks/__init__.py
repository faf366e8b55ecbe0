"""Compare flowsock with hand-written code and with other libraries: ``python -m benchmarks``.

Absolute times depend on the machine and on its other work. What counts are the ratios, each of two times of one round.
"""
