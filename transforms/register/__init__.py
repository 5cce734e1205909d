"""The register of reporting units: how it is built and looked up."""
