//! What a subscriber has: a plan, a user name, a state. Owns `service`.
