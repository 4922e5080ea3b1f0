//! Double-entry bookkeeping. Owns `ledger_account`, `ledger_entry` and `ledger_transfer`.
