"""NATS JetStream behind the port: what an account, a stream and a consumer look like, and one connection to them."""
