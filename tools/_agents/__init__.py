"""What `tools/real_agents.py` tries the real agents with."""
