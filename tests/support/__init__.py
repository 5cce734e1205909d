"""Helpers of the tests: servers, small installations, reference implementations, processes to be killed."""
