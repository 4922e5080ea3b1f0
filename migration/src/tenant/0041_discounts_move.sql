-- A period that is moved keeps the discounts that were given for it.

GRANT UPDATE (period_starts_at) ON discount_use TO {{tenant}};
