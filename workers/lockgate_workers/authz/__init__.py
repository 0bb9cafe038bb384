"""The authorisation gate: who may ask which agent for which action, by Cedar policies, denied unless a policy permits."""
