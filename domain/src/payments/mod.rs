//! Money received. Owns `payment` and `payment_allocation`.
