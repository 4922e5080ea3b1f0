-- Staff who come in from the platform's host are known by an id that says nothing of who they are there, or where else they
-- belong.
ALTER TABLE staff ADD COLUMN membership_link uuid UNIQUE;
