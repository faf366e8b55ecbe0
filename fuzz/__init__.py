"""Fuzz targets for atheris, no part of the package or of its test run.

``pip install -e ".[fuzz]"``, then ``python -m fuzz frames -max_total_time=600 CORPUS``: a target, libFuzzer's options, a folder
for what is found. Each target asserts laws of the wire layer over any bytes: no errors but the documented ones, the limits
hold, and any split of the same bytes gives the same events.
"""
