//! Who signs in, how long that lasts, and what is not taken for it.

mod cookies;
mod ground;
mod keys;
mod passwords;
mod second_factor;
mod sessions;
mod sign_in;
mod throttle;
mod tokens;
