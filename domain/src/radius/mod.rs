//! What FreeRADIUS is told and what it recorded. Owns the tenant's rows in `radius.account`; reads sessions and usage.
