"""What was decided and made: jobs, content, lists, credits. Reads the read table and nothing else."""
