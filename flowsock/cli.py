"""Run the flowsock command line."""
