//! At-least-once execution of idempotent handlers. Owns `platform.outbox` and `platform.job`.
