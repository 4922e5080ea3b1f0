//! The database's walls, seen from behind each of them. Every list of tables, columns and functions is read from the
//! catalogue, so that nothing new can be forgotten.

mod catalogue;
mod foreign;
mod injection;
mod logins;
mod rights;
mod seed;
