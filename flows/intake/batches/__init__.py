"""What is read of a batch on its way into the lake: stored by this process, or read and written by a worker's."""
