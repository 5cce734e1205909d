"""Discovery: double reporting that no contract declares, the verdicts on it, and what they change."""
