-- Roles that the ISP changes itself, and staff who are invited.

ALTER TABLE role ADD COLUMN version integer NOT NULL DEFAULT 1;
-- What this release adds, for the roles that have everything.
UPDATE role SET permissions = permissions || '{role:write}' WHERE code IN ('owner', 'admin') AND NOT 'role:write' = ANY (permissions);

-- Open invitations; one that was accepted or revoked is gone, and stands in the audit. Its token is a one_time_token.
CREATE TABLE staff_invitation (
    id         uuid PRIMARY KEY,
    email      text NOT NULL,
    role_code  text NOT NULL REFERENCES role,
    -- Whose rights it draws on; NULL: the product's own.
    invited_by uuid REFERENCES staff,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX staff_invitation_email ON staff_invitation (lower(email));

GRANT SELECT, INSERT, UPDATE, DELETE ON staff_invitation TO {{tenant}};
