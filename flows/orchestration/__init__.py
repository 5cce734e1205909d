"""Prefect: flows, deployments and the served process. No other folder imports Prefect."""
