//! Routers that ask us who may go on line. Owns the tenant's rows in `radius.nas`.
