"""n8n's executions, read over its public REST API with a key that may read executions and workflows and no more."""
